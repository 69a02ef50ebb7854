"""Names of files and folders: of images and their classes, of runs and sweeps."""

from __future__ import annotations

import contextlib
import os
import random
from pathlib import Path

from data_sets import image_folder, reading
from mutate import place
from subject import Reader, Subject
from world import World

from subjects.readers import light_reader

_NAMES = [
    *"a.b 0 -x ~ = @x ${x} * ? [a] .hidden %s nul CON train val Test a=1 latest latest:gan".split(),
    *(
        "\x1b[2J",
        "a\nb",
        "a b",
        " ",
        "\udc80",
        "é",
        "\u202ex",
        "x" * 250,
        "=1+1",
        "<b>x</b>",
        "[bold]x[/bold]",
        "'\"\\",
    ),
]


def _lay_tree(world: World, folder: Path, draws: random.Random) -> Reader:
    """Images under odd names, at odd depths, beside what is none."""
    root = world.copy("images", folder / "images")
    for _ in range(draws.choice((1, 2, 4))):
        path = draws.choice(sorted(one for one in root.rglob("*")))
        kind = draws.randrange(6)
        with contextlib.suppress(OSError):  # the name is there, or fits no file system
            if kind in (0, 1):
                path.rename(path.with_name(draws.choice(_NAMES) + path.suffix))
            elif kind == 2:
                (path if path.is_dir() else path.parent).joinpath(*[draws.choice(_NAMES)] * 5).mkdir(
                    parents=True
                )
            elif kind == 3:
                world.copy("images/cats", path.with_name(draws.choice(_NAMES)))
            elif kind == 4 and path.is_file():
                place.replaced(path, draws)
            else:
                path.with_name(f"{draws.choice(_NAMES)}.png").symlink_to(
                    draws.choice((root, path, Path("x")))
                )
    options = {
        "layout": draws.choice(("auto", "flat", "classes", "splits")),
        "on_damaged": draws.choice(("stop", "skip")),
        "num_classes": draws.choice((None, None, 2)),
    }
    writes = ("image_cache/*", "image_cache")
    return Reader(writes=writes, call=reading(lambda: image_folder("images", **options)))


def _lay_runs(world: World, folder: Path, draws: random.Random) -> Reader:
    """Runs under odd names, with links to them and to nothing."""
    world.copy("gan", folder / "run")
    world.copy("vqvae", folder / "sound")
    for _ in range(draws.choice((1, 2))):
        name = draws.choice(_NAMES)
        with contextlib.suppress(OSError):
            if draws.random() < 0.6:
                world.copy("gan", folder / name)
            else:
                (folder / name).symlink_to(draws.choice(("run", name, "nowhere", "/", ".", "/dev/zero")))
    if draws.random() < 0.2:
        os.mkfifo(folder / "pipe")
    return light_reader(draws)


SUBJECTS = [
    Subject("image_tree", "names and kinds of what lies in a folder of images", _lay_tree),
    Subject("run_names", "names of run folders: runs ls, show, diff and compare", _lay_runs),
]
