"""The commands that read a RUN, with what each may write."""

from __future__ import annotations

import random
from pathlib import Path

from subject import Reader, command
from world import World

_NUM = ("--num", "2")
_WEIGHTS = {
    "gan": (
        command("sample", "run", *_NUM, "--out", "x.npz", writes=("x.npz", ".x.npz.*"), finite="x.npz"),
        command("sample", "run", *_NUM, writes=("run/samples-*", "run/.samples-*")),
        command("interpolate", "run", "--out", "x.png", writes=("x.png", ".x.png.*")),
        command("neighbours", "run", *_NUM, "--out", "x.png", writes=("x.png", ".x.png.*")),
    ),
    "vqvae": (
        command("reconstruct", "run", *_NUM, "--out", "x.npz", writes=("x.npz", ".x.npz.*"), finite="x.npz"),
        command("codes", "run", *_NUM, "--out", "x.npz", writes=("x.npz", ".x.npz.*"), finite="x.npz"),
        command("codes", "run", "--swap", "0,1", "--out", "x.png", writes=("x.png", ".x.png.*")),
    ),
}
_OF_BOTH = (
    command("export", "run", writes=("run/weights.safetensors", "run/.weights.safetensors.*")),
    command(
        *("evaluate", "run", "--num", "32", "--num-real", "32", "--json"),
        writes=("run/evaluations.jsonl", "run/.evaluations.jsonl*"),
    ),
)
# The run is complete and the budget is that of the command line: nothing is trained.
_RESUME = command("resume", "run", "trainer.max_examples=64", writes=("run/*",))
_TRAIN = command("resume", "run", "trainer.max_examples=96", writes=("run/*",))  # a batch more
_LIGHT = (
    command("runs", "ls", "--output-dir", "."),
    command("runs", "ls", "--output-dir", ".", "--json"),
    command("runs", "show", "run"),
    command("runs", "show", "run", "--json"),
    command("runs", "diff", "run", "sound"),
    command("runs", "diff", "sound", "run", "--json"),
    command("compare", "run", "sound"),
    command("compare", "run", "sound", "--json"),
    command("compare", "run", "sound", "--html", "x.html", writes=("x.html", ".x.html.*")),
    command("compare", "run", "sound", "--csv", "x.csv", writes=("x.csv", ".x.csv.*")),
)
_PLOT = command("plot", "run", "--out", "x.svg", writes=("x.svg", ".x.svg.*"))


def lay_run(world: World, folder: Path, draws: random.Random) -> str:
    """A run to damage as ``run``, a sound one as ``sound``; which model they have."""
    model = draws.choice(("gan", "gan", "vqvae"))
    world.copy(model, folder / "run")
    (folder / "sound").symlink_to(world.folder / model)
    return model


def light_reader(draws: random.Random) -> Reader:
    """A command that reads runs without their weights."""
    return draws.choice(_LIGHT)


def plot_reader() -> Reader:
    return _PLOT


def weights_reader(model: str, draws: random.Random) -> Reader:
    """A command that reads a run's weights."""
    return draws.choice((*_WEIGHTS[model], *_OF_BOTH, _RESUME, _TRAIN, _TRAIN))


def trains_on() -> Reader:
    """One batch more."""
    return _TRAIN


def any_reader_of_a_run(model: str, draws: random.Random) -> Reader:
    return draws.choice((*_WEIGHTS[model], *_OF_BOTH, _RESUME, *_LIGHT, _PLOT))
