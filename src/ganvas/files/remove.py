"""How a folder of many files is deleted: it loses its name first, and all at once.

A process that is killed as it deletes leaves nothing that looks like half of what was there: what is left is
hidden, and whoever looks next removes it (:func:`clear_removed`).
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from pathlib import Path

from ganvas.files.write import sync_folder

_LONGEST = 100  # bytes of a name that stand in its hidden one; file systems allow 255
_REMOVED = re.compile(r"\..*\.[0-9a-f]{16}\.removed", re.DOTALL)
_UNFINISHED = re.compile(r"\..*\.[0-9]+-[0-9a-f]{8}\.tmp", re.DOTALL)  # ganvas.files.write.temporary_name


def remove_folder(path: Path, *, last: str | None = None) -> None:
    """Deletes a folder and what is in it; links in it are not followed.

    Args:
        last: the name of what goes last, so that the rest can be asked for again where something cannot be
            deleted: it then has its name back.

    Raises:
        OSError: it cannot be renamed, and all of it is there; or something in it cannot be deleted.
    """
    beginning = os.fsdecode(os.fsencode(path.name)[:_LONGEST])
    hidden = path.with_name(f".{beginning}.{secrets.token_hex(8)}.removed")
    os.rename(path, hidden)
    with contextlib.suppress(OSError):
        sync_folder(path.parent)
    try:
        for one in sorted(hidden.iterdir(), key=lambda one: one.name == last):
            _delete(one)
        with contextlib.suppress(FileNotFoundError):
            hidden.rmdir()
    except OSError as error:
        if hidden.exists():
            with contextlib.suppress(OSError):
                os.rename(hidden, path)
            if error.filename is not None:
                error.filename = os.fspath(error.filename).replace(hidden.name, path.name)
            raise


def is_removed(path: Path) -> bool:
    """Whether this is the rest of a folder that :func:`remove_folder` was deleting, by its name."""
    return _REMOVED.fullmatch(path.name) is not None


def is_rest(path: Path) -> bool:
    """Whether a killed process left it by the name: of a folder that was deleted, or that was being made."""
    return is_removed(path) or _UNFINISHED.fullmatch(path.name) is not None


def clear_removed(place: Path, depth: int) -> None:
    """Deletes what killed processes left in a folder; what cannot be deleted stays, without a word.

    Args:
        depth: levels below ``place`` on which it is looked for.
    """
    try:
        with os.scandir(place) as entries:
            folders = [place / entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for path in folders:
        if is_removed(path):
            shutil.rmtree(path, ignore_errors=True)
        elif depth > 1:
            clear_removed(path, depth - 1)


def _delete(path: Path) -> None:
    """A file or folder; what another process deletes meanwhile (:func:`clear_removed`) is no error."""
    while os.path.lexists(path):
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
