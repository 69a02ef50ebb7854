"""Folders of what was made from a data set and is kept beside it: decoded images, indexes of shards."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from ganvas.errors import OptionError


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
        return [Path(cache_dir).expanduser()]
    user = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    real = root.resolve()
    return [real.parent / f".{real.name}.ganvas", user / "ganvas"]


def writable(folders: Sequence[Path]) -> tuple[Path, list[Path]]:
    """The first folder that can be written, made if need be; and the folders that were made, inmost first."""
    for place in folders:
        made = [folder for folder in (place, *place.parents) if not os.path.lexists(folder)]
        try:
            place.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=place):
                return place, made
        except OSError as error:
            failure = error
    raise OptionError("cache_dir", str(folders[-1]), f"cannot be written ({failure}); name another folder")
