"""Every file that ganvas writes for somebody to read: whole under its name, or as it was.

A temporary file in the same folder gets the bytes, they are made durable, and a rename gives them their
name. Until then a reader sees the older file; after an error, Ctrl-C or a full disk too. Files that grow
while others look (logs, rows, TensorBoard's) and checkpoints (``ganvas.run.checkpoint.io``) have writers of
their own.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ganvas.files.read import NotRegularError

_LONGEST = 100  # bytes of a name that stand in its temporary one; file systems allow 255
_MODE = 0o666  # less the umask, as open() makes files


class WholeFile:
    """A file that is written in pieces to :attr:`file`, and is there once :meth:`commit` has returned.

    As a block (``with WholeFile(path) as file``) it commits where the block ends well, and abandons else.
    The folder must be there. A temporary file that a killed process left for the same name is removed.

    Args:
        path: the file; an older one is replaced, a link is followed.

    Attributes:
        file: what takes the bytes; it can seek.

    Raises:
        OSError: the folder cannot be written, or ``path`` is a folder, a pipe or a device.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(os.path.realpath(path))
        if self.path.exists() and not self.path.is_file():
            raise NotRegularError(errno.EINVAL, "is no regular file", str(path))
        _remove_left(self.path)
        self._part = temporary_name(self.path)
        handle = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
        while not _claim(
            handle, self._part
        ):  # taken for one that was left, and removed, before it was locked
            os.close(handle)
            handle = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
        self.file: BinaryIO = os.fdopen(handle, "w+b")

    def commit(self) -> None:
        """Makes the bytes durable and gives them their name; nothing is left of them where that fails."""
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
            os.replace(self._part, self.path)
        except BaseException:
            self.abandon()
            raise
        with contextlib.suppress(OSError):  # it is whole under its name already
            self.file.close()
            sync_folder(self.path.parent)

    def abandon(self) -> None:
        """Removes what was written; the older file stays."""
        with contextlib.suppress(OSError):
            os.unlink(self._part)
        with contextlib.suppress(OSError, ValueError):  # a full disk, at the last buffer
            self.file.close()

    def __enter__(self) -> BinaryIO:
        return self.file

    def __exit__(self, kind: type | None, *_: object) -> None:
        if kind is None:
            self.commit()
        else:
            self.abandon()


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes a file whole or not at all; see :class:`WholeFile`."""
    with WholeFile(path) as file:
        file.write(content)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """The same in UTF-8; half a surrogate pair, which UTF-8 cannot hold, becomes ``?``."""
    write_bytes(path, text.encode("utf-8", "replace"))


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to fill, that gets its name where the block ends well and is removed else.

    Raises:
        OSError: ``path`` is there already, or cannot be made.
    """
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, "exists", str(path))
    part = temporary_name(path)
    part.mkdir()
    try:
        yield part
        os.rename(part, path)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    with contextlib.suppress(OSError):
        sync_folder(path.parent)


def make_way(path: Path) -> None:
    """Removes what stands under a cache's name and is no file, so that the cache can be made anew: a pipe, a
    link to a device, an empty folder.

    Raises:
        OSError: it cannot be removed.
    """
    if not os.path.lexists(path) or path.is_file():
        return
    if stat.S_ISDIR(os.lstat(path).st_mode):
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def temporary_name(path: Path) -> Path:
    """Where ``path`` grows: hidden, in the same folder, of no other process and no other call."""
    return path.with_name(f"{_beginning(path)}{os.getpid()}-{secrets.token_hex(4)}.tmp")


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable, as fsync does for a file's bytes."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _beginning(path: Path) -> str:
    return f".{os.fsdecode(os.fsencode(path.name)[:_LONGEST])}."


def _claim(handle: int, path: Path) -> bool:
    """Locks a new file for as long as this process lives, by which others tell it from one that was left.

    False where another process has just removed it.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)  # another one holds it for the moment in which it looks
    except OSError:
        return True  # a file system without locks: nobody removes anything there
    try:
        return os.stat(path).st_ino == os.fstat(handle).st_ino
    except FileNotFoundError:
        return False


def _remove_left(path: Path) -> None:
    """Removes temporary files of ``path`` whose processes were killed."""
    beginning = _beginning(path)
    try:
        names = [entry.name for entry in os.scandir(path.parent) if entry.name.startswith(beginning)]
    except OSError:
        return
    for name in names:
        if not name.endswith(".tmp"):
            continue
        with contextlib.suppress(OSError):
            handle = os.open(path.with_name(name), os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: somebody writes it
                os.unlink(path.with_name(name))
            finally:
                os.close(handle)
