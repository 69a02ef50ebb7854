"""Every file that ganvas writes for somebody to read: whole under its name, or as it was.

A temporary file in the same folder gets the bytes, they are made durable, and a rename gives them their
name. Until then a reader sees the older file; after an error, Ctrl-C, SIGTERM (see
``ganvas.run.process.signals``) or a full disk too. What a SIGKILL leaves, the next writer of the name
removes. Files that grow while others look (logs, rows, TensorBoard's) and checkpoints
(``ganvas.run.checkpoint.io``) have writers of their own; tests/test_files.py lists them.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
import stat
import tempfile
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from ganvas.files.read import NotRegularError

_LONGEST = 100  # bytes of a name that stand in its temporary one; file systems allow 255
_MODE = 0o666  # less the umask, as open() makes files
_NO_SYNC = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)  # of folders on CIFS, of some FUSE file systems
_HANDLE = os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


class WholeFile:
    """A file that is written in pieces to :attr:`file`, and is there once :meth:`commit` has returned.

    As a block (``with WholeFile(path) as file``) it commits where the block ends well, and abandons else;
    so does one that is let go. The folder must be there. A temporary file that a killed process left for the
    same name is removed.

    Args:
        path: the file; an older one is replaced and its permissions kept, a link is followed.
        is_strict: an OSError says too where only the durability of the name is not known, as some network
            file systems have it.

    Attributes:
        file: what takes the bytes; it can seek.

    Raises:
        OSError: the folder cannot be written, or ``path`` is a folder, a pipe or a device.
    """

    def __init__(self, path: str | os.PathLike[str], *, is_strict: bool = False) -> None:
        self.is_strict = is_strict
        self.path = Path(os.path.realpath(path))
        try:
            there = os.stat(self.path).st_mode
        except FileNotFoundError:
            there = None
        if there is not None and not stat.S_ISREG(there):
            raise NotRegularError(errno.EINVAL, "is no regular file", str(path))
        _remove_left(self.path)
        self._part, closing = temporary_name(self.path), list[Callable[[], None]]()
        self._drop = weakref.finalize(self, _drop, self._part, os.getpid(), closing)  # before it is there
        handle = _claimed(self._part, _new_file)
        self.file: BinaryIO = os.fdopen(handle, "w+b")
        closing.append(self.file.close)
        if there is not None:
            with contextlib.suppress(OSError):  # a file system without permissions
                os.fchmod(handle, there & 0o777)

    def commit(self) -> None:
        """Makes the bytes durable and gives them their name; nothing is left of them where that fails."""
        try:
            self.file.flush()
            sync_file(self.file.fileno())
            os.replace(self._part, self.path)
        except BaseException:
            self.abandon()
            raise
        self._drop.detach()
        with contextlib.suppress(OSError):  # it is whole under its name already
            self.file.close()
        try:
            sync_folder(self.path.parent)
        except OSError:
            if self.is_strict:
                raise

    def abandon(self) -> None:
        """Removes what was written; the older file stays."""
        self._drop()

    def __enter__(self) -> BinaryIO:
        return self.file

    def __exit__(self, kind: type | None, *_: object) -> None:
        if kind is None:
            self.commit()
        else:
            self.abandon()


class Workshop:
    """A hidden folder in which files are made that get their names later, all at once; see :meth:`close`.

    One that a killed process left for the same name is removed.

    Args:
        path: beside it the folder lies, named after it.

    Attributes:
        path: the folder.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        _remove_left(path)
        self.path, closing = temporary_name(path), list[Callable[[], None]]()
        self._drop = weakref.finalize(self, _drop, self.path, os.getpid(), closing)  # before it is there
        handle = _claimed(self.path, _new_folder)
        closing.append(lambda: os.close(handle))

    def write(self, name: str, content: bytes) -> None:
        """Writes a file of the folder; nobody else looks, so that it need not be whole at any time."""
        place = self.path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)

    def sync(self) -> None:
        """Makes all that is in it durable."""
        for folder, _, names in os.walk(self.path):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    sync_file(file.fileno())
            sync_folder(Path(folder))

    def close(self) -> None:
        """Removes the folder, and what is still in it."""
        self._drop()


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes a file whole or not at all; see :class:`WholeFile`."""
    with WholeFile(path) as file:
        file.write(content)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """The same in UTF-8; half a surrogate pair, which UTF-8 cannot hold, becomes ``?``."""
    write_bytes(path, text.encode("utf-8", "replace"))


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Workshop]:
    """A folder to fill, whose files are durable and have their names where the block ends well; else none is.

    A folder that is there and empty (a mount point, the current one) stays the same and takes them; folders
    that it lies in are made.

    Raises:
        OSError: ``path`` is there already and not empty, or cannot be made.
    """
    if not is_free(path):
        raise FileExistsError(errno.EEXIST, "exists", str(path))
    with parents(path):
        yield from _filled(path)


def _filled(path: Path) -> Iterator[Workshop]:
    is_there = os.path.lexists(path)
    shop = Workshop(path / path.resolve().name if is_there else path)
    moved: list[Path] = []
    try:
        yield shop
        shop.sync()
        if is_there:
            for part in sorted(shop.path.iterdir()):
                moved.append(path / part.name)
                os.rename(part, moved[-1])
        else:
            os.rename(shop.path, path)
    except BaseException:
        for one in moved:
            _remove(one)
        raise
    finally:
        shop.close()
    with contextlib.suppress(OSError):
        sync_folder(path if is_there else path.parent)


@contextlib.contextmanager
def parents(path: Path) -> Iterator[None]:
    """Makes the folders that ``path`` lies in; those that were not there go again where the block fails."""
    made = [folder for folder in path.parents if not os.path.lexists(folder)]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for folder in made:
            with contextlib.suppress(OSError):  # others have put something there
                folder.rmdir()
        raise


def is_free(path: Path) -> bool:
    """Whether :func:`new_folder` may make it: nothing is there, or an empty folder.

    Raises:
        OSError: that cannot be seen.
    """
    if not os.path.lexists(path):
        return True
    if not path.is_dir():
        return False
    _remove_left(path / path.resolve().name)
    return not any(path.iterdir())


def try_folder(folder: Path) -> None:
    """Raises OSError unless files can be written in a folder that is there.

    os.access says yes to root on a read-only file system's every folder: it is tried for real.
    """
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
    with tempfile.TemporaryFile(dir=folder):
        pass


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


def sync_file(handle: int, *, content_only: bool = False) -> None:
    """Waits until a file is on its disk; where the file system knows no such call, it is taken as it is.

    Args:
        content_only: what else is told of the file (its dates) may come later.
    """
    try:
        (os.fdatasync if content_only else os.fsync)(handle)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable, as fsync does for a file's bytes."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync_file(handle)
    finally:
        os.close(handle)


def _beginning(path: Path) -> str:
    return f".{os.fsdecode(os.fsencode(path.name)[:_LONGEST])}."


def _new_file(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)


def _new_folder(path: Path) -> int:
    os.mkdir(path)
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | _HANDLE)


def _claimed(part: Path, make: Callable[[Path], int]) -> int:
    """The handle of a new temporary file or folder, locked for as long as this process lives.

    By that lock others tell it from one that was left; one that they had removed before it was locked is
    made again.
    """
    try:
        while True:
            handle = make(part)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)  # another one holds it for the moment in which it looks
            except OSError:
                return handle  # a file system without locks: nobody removes anything there
            try:
                if os.stat(part).st_ino == os.fstat(handle).st_ino:
                    return handle
            except FileNotFoundError:
                pass
            os.close(handle)
    except BaseException:
        _remove(part)
        raise


def _remove_left(path: Path) -> None:
    """Removes temporary files and folders of ``path`` whose processes were killed."""
    beginning = _beginning(path)
    try:
        names = [entry.name for entry in os.scandir(path.parent) if entry.name.startswith(beginning)]
    except OSError:
        return
    for name in names:
        if not name.endswith(".tmp"):
            continue
        with contextlib.suppress(OSError):
            handle = os.open(path.with_name(name), os.O_RDONLY | _HANDLE)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: somebody writes it
                _remove(path.with_name(name))
            finally:
                os.close(handle)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)


def _drop(part: Path, process: int, closing: list[Callable[[], None]]) -> None:
    """Removes a temporary file or folder, unless this is a child that got it by a fork."""
    if os.getpid() == process:
        _remove(part)
        for close in closing:
            with contextlib.suppress(OSError, ValueError):  # a full disk, at the last buffer
                close()
