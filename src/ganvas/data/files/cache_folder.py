"""Folders of what was made from a data set and is kept beside it: decoded images, indexes of shards."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ganvas.errors import OptionError
from ganvas.files.folders import expanded
from ganvas.files.write import try_folder
from ganvas.functional.cache import cache_dir as users_folder

_NAME = re.compile(r"[0-9a-f]{32}\.npy|shards-[0-9a-f]{32}\.index")  # image_cache.py, index_file.py


class Absent(Exception):
    """No file is there, or in a folder that is not ours to read."""


@contextlib.contextmanager
def absent_or() -> Iterator[None]:
    """Tells a cache that is not there, an :class:`Absent`, from one that is there and damaged."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise Absent from error


def places(root: Path, cache_dir: str | None) -> list[Path]:
    """Where to look: ``cache_dir``; else beside ``root``, then the user's cache folder."""
    if cache_dir is not None:
        return [expanded(cache_dir, "cache_dir")]
    return [beside(root), users_folder()]


def beside(root: Path) -> Path:
    """The folder of caches that belongs to a data set alone."""
    real = root.resolve()
    return real.parent / f".{real.name}.ganvas"


def holds_caches(folder: Path) -> bool:
    """Whether somebody has kept caches of ganvas's there: a folder of another purpose has none."""
    try:
        with os.scandir(folder) as entries:
            return any(_NAME.fullmatch(entry.name) for entry in entries)
    except OSError:
        return False


def writable(folders: Sequence[Path]) -> tuple[Path, list[Path]]:
    """The first folder that can be written, made if need be; and the folders that were made, inmost first."""
    for place in folders:
        made = [folder for folder in (place, *place.parents) if not os.path.lexists(folder)]
        try:
            place.mkdir(parents=True, exist_ok=True)
            try_folder(place)
            return place, made
        except OSError as error:
            failure = error
    raise OptionError("cache_dir", str(folders[-1]), f"cannot be written ({failure}); name another folder")
