"""Command lines: overrides, flags, half-written words; a user's own groups under --config-dir."""

from __future__ import annotations

import random
from pathlib import Path

from mutate import plain
from mutate.files import damage_yaml
from subject import Reader, Subject, command
from world import World

_KEYS = (
    *(
        "seed",
        "model",
        "data",
        "trainer",
        "callback",
        "logger",
        "accelerator",
        "name",
        "experiment",
        "allow_imports",
    ),
    *(
        "model.latent_dim",
        "model.generator.hidden_dim",
        "model/generator",
        "model/ema",
        "model.generator_optimizer.lr",
    ),
    *(
        "data.batch_size",
        "data.root",
        "data.num_workers",
        "data.image_size",
        "trainer.max_examples",
        "paths.run_dir",
    ),
    *(
        "metric/features",
        "metric/samples",
        "optimized_metric",
        "sweep.repeats",
        "hydra.launcher.n_jobs",
        "hydra/sweeper",
    ),
    *(
        "hydra.sweep.dir",
        "hydra.run.dir",
        "hydra.sweeper.n_trials",
        "hydra/launcher",
        "nosuchkey",
        "model.nosuch",
    ),
)
_VALUES = (
    *(
        "1",
        "0",
        "-1",
        "1.5",
        "1e400",
        "nan",
        "null",
        "true",
        "x",
        "''",
        '"a b"',
        "[1,2]",
        "[[1],{a:2}]",
        "{a:1}",
        "1,2",
    ),
    *(
        "range(1,3)",
        "choice(1,2)",
        "interval(0,1)",
        "range(1,1)",
        "glob(*)",
        "sort(2,1)",
        "shuffle(1,2)",
        "tag(a,1)",
    ),
    *(
        "float(x)",
        "int(1.5)",
        "cast(",
        "${seed}",
        "${model}",
        "${oc.env:HOME}",
        "${nosuch}",
        "${a:${b}}",
        "${",
        "}",
    ),
    *(
        "mlp_gan",
        "mlp_vqvae",
        "digits",
        "toy",
        "none",
        "optuna",
        "slurm",
        "ray",
        "1:30",
        "0x" + "f" * 6000,
        "9" * 5000,
    ),
    *(
        "[" * 3000,
        "{a:" * 500,
        "&a [*a]",
        "a\nb",
        "\x1b[2J",
        "é\u202e",
        "\udc80",
        "x" * 5000,
        "a=b",
        "\\",
        "'",
        "%s",
    ),
    *(
        "range(0,1000000000)",
        "range(1,1000)",
        "../x",
        "/etc/passwd",
        "~nosuchuser",
        "a" + "/b" * 200,
        "{x..y}",
    ),
)
_PROBED = ("outputs",)  # and whether that could be made
_GIT = ("git",)  # which commit is planned
_MARKS = ("", "", "", "", "", "+", "++", "~", "@", "=", ".", "/", "-", "--")


def word(draws: random.Random) -> str:
    """An override that may be one."""
    key = draws.choice(_MARKS) + draws.choice(_KEYS)
    if draws.random() < 0.1:
        key = key + draws.choice((".", "@x", "@_global_", "[0]", "=", " ", "\n", "\x00", ":", "${x}"))
    if draws.random() < 0.05:
        return key
    text = draws.choice(_VALUES)
    for _ in range(draws.choice((0, 0, 0, 1, 2))):
        at = draws.randrange(len(text) + 1)
        text = (
            text[:at]
            + draws.choice(("[", "]", "{", "}", ",", "'", '"', "\\", "$", "(", ")", ":", " ", "="))
            + text[at:]
        )
    return f"{key}={text}"


def _lay_overrides(world: World, folder: Path, draws: random.Random) -> Reader:
    """What is planned is composed and checked, and not run."""
    words = [word(draws) for _ in range(draws.choice((1, 1, 2, 3)))]
    more = ["--json"] if draws.random() < 0.2 else []
    return command("sweep", "plan", *more, *words, writes=_PROBED, programs=_GIT)


_COMMANDS = (
    *(
        ["sample", "run"],
        ["evaluate", "run"],
        ["export", "run"],
        ["interpolate", "run"],
        ["neighbours", "run"],
    ),
    *(
        ["walk", "run"],
        ["plot", "run"],
        ["compare", "run"],
        ["runs", "ls"],
        ["runs", "show", "run"],
        ["runs", "diff", "run"],
    ),
    *(
        ["options"],
        ["sweep", "ls"],
        ["sweep", "status", "s"],
        ["sweep", "best", "s"],
        ["completion"],
        ["runs"],
        ["sweep"],
    ),
    *(
        [],
        ["nosuch"],
        ["shards"],
        ["check"],
        ["reconstruct", "run"],
        ["job", "s"],
        ["resume"],
        ["init"],
        ["train"],
    ),
)
_FLAGS = (
    *(
        "--num",
        "--seed",
        "--columns",
        "--scale",
        "--truncation",
        "--out",
        "--batch-size",
        "--num-real",
        "--split",
    ),
    *(
        "--metrics",
        "--features",
        "--tags",
        "--output-dir",
        "--config-dir",
        "--config-name",
        "--allow-imports",
        "--json",
    ),
    *(
        "--html",
        "--csv",
        "--save",
        "--steps",
        "--rows",
        "--frames",
        "--layout",
        "--images-per-shard",
        "--nosuch",
        "-x",
    ),
)
# Numbers that are absurd, or small: what lies between them is asked for and computed.
_FLAG_VALUES = (
    *(
        "0",
        "-1",
        "1",
        "2",
        "1.5",
        "1e400",
        "nan",
        "inf",
        "9" * 40,
        "9" * 5000,
        "x",
        "",
        " ",
        "١",
        "0x10",
        "1_0",
        "\udc80",
    ),
    *(
        "x" * 300,
        "nosuch/x.png",
        "/proc/x.png",
        "x.exe",
        "\x1b[2J",
        "a\nb",
        "*",
        "[",
        "run",
        "train",
        "fid",
        "-",
        "--",
    ),
)


def _lay_flags(world: World, folder: Path, draws: random.Random) -> Reader:
    words = list(draws.choice(_COMMANDS))
    if words[-1:] == ["run"]:
        world.copy("gan", folder / "run")
    if words[-1:] == ["s"]:
        world.copy("grid", folder / "s")
    for _ in range(draws.choice((1, 2, 3))):
        words.append(draws.choice(_FLAGS))
        if draws.random() < 0.9:
            words.append(draws.choice(_FLAG_VALUES))
    if words[0] in ("train", "resume", "init", "job"):
        words.append("--nosuch")  # otherwise it would be trained
    return command(*words, writes=("run/*", "*.png", "*.exe", "nosuch/*", "nosuch", "x*"))


def _lay_completion(world: World, folder: Path, draws: random.Random) -> Reader:
    world.copy("gan", folder / "outputs" / "train" / "run")
    line = "ganvas " + " ".join([*draws.choice(_COMMANDS), *(word(draws) for _ in range(draws.randrange(3)))])
    line = line[: draws.randrange(7, len(line) + 2)]

    def complete() -> None:
        from ganvas.cli.shell.candidates import candidates

        for one in candidates(line):
            print(one)

    return Reader(call=complete)


_MINE = """# A model of mine
defaults:
  - mlp_gan
  - _self_
latent_dim: 4
generator:
  hidden_dim: 8 # of each layer
generator_optimizer: {lr: 1.0e-3, betas: [0.0, 0.99]}
seed: ${seed}
"""
_EXPERIMENT = """# @package _global_
# An experiment of mine
defaults:
  - override /model: mlp_gan
  - override /data: digits
name: mine
trainer: {max_examples: 640}
data: {batch_size: 32}
"""


def _lay_groups(world: World, folder: Path, draws: random.Random) -> Reader:
    files = {"conf/model/mine.yaml": _MINE, "conf/experiment/mine.yaml": _EXPERIMENT}
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    name = draws.choice(list(files))
    if draws.random() < 0.5:
        damage_yaml(folder / name, draws)
    else:
        text = files[name]
        at = draws.randrange(len(text))
        odd = draws.choice(
            (
                *plain.ODD_TEXTS,
                "@",
                "&a [*a]",
                "<<: *a",
                "- ",
                "${",
                "!!python/name:os.system",
                "\t",
                "? ",
                "{",
            )
        )
        (folder / name).write_text(text[:at] + odd + text[at + draws.choice((0, 1, 5)) :])
    group = name.split("/")[1]
    return draws.choice(
        (
            command("options", f"{group}=mine", "--config-dir", "conf"),
            command("options", group, "--config-dir", "conf"),
            command("options", "--config-dir", "conf"),
            command(
                "sweep",
                "plan",
                f"{group}=mine",
                "seed=1,2",
                "--config-dir",
                "conf",
                writes=_PROBED,
                programs=_GIT,
            ),
        )
    )


SUBJECTS = [
    Subject("overrides", "overrides of a command line: sweep plan", _lay_overrides),
    Subject("flags", "flags and words of every command", _lay_flags),
    Subject("completion", "half-written command lines: tab completion", _lay_completion),
    Subject("groups", "a user's own groups (YAML under --config-dir): options and sweep plan", _lay_groups),
]
