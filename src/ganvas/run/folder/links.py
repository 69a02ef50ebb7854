"""What lies in a folder that may come from anyone: nothing that leads out of it or blocks who opens it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ganvas.errors import require

_KIND = {"RUN": "run", "SWEEP": "sweep", "PIPELINE": "pipeline"}


def check_tree(folder: Path, option: str) -> None:
    """Raises OptionError (``option``) where writing into the folder, or reading it, would reach beyond it.

    Links that lead out, pipes and devices are refused, at any depth; the folder itself may be a link.
    """
    for parent, folders, files in os.walk(folder):
        _check((Path(parent, name) for name in (*folders, *files)), folder, option)


def check_flat(folder: Path, option: str, *, inner: Iterable[str] = ()) -> None:
    """The same of the files directly in the folder, and of those directly in its folders called ``inner``."""
    for place in (folder, *(folder / name for name in inner)):
        if place.is_symlink() and place != folder:
            _check([place], folder, option)
        if place.is_dir():
            with os.scandir(place) as entries:
                _check((Path(one.path) for one in entries if not _is_folder(one)), folder, option)


def _check(paths: Iterable[Path], folder: Path, option: str) -> None:
    inside = os.path.realpath(folder)
    for path in paths:
        # realpath and not resolve: of a circle of links it makes a path, the other an error.
        leads_out = path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(inside)
        reason = f"is a link out of the {_KIND[option]}'s folder; put a copy in its place"
        require(not leads_out, option, path, reason)
        plain = path.is_file() or path.is_dir() or (path.is_symlink() and not _is_circle(path))
        # What is gone by now was a tracker's, which outlives a killed run by a moment.
        require(plain or not os.path.lexists(path), option, path, "is neither a file nor a folder; remove it")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a circle of links
        return False


def _is_circle(path: Path) -> bool:
    """Whether a link leads to itself; one that leads to nothing is none."""
    try:
        os.stat(path)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
