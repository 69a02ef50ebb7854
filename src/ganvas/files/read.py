"""The one door through which files are opened to be read: regular files alone, as many bytes as are expected.

A pipe blocks whoever opens it, a device never ends, and a file of another's making may be larger than the
memory.
"""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader


class NotRegularError(OSError):
    """A pipe, a device, a socket or a folder stands where a file was expected."""


class TooLargeError(OSError):
    """A file holds more than whoever reads it takes."""


def open_regular(path: str | os.PathLike[str]) -> BufferedReader:
    """Opens a file to read its bytes, without waiting for a pipe's other end; links are followed.

    Raises:
        NotRegularError: it is no regular file.
        OSError: it is not there or cannot be read.
        ValueError: the name holds a NUL byte.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise NotRegularError(errno.EINVAL, "is no regular file", os.fspath(path))
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_bytes(path: str | os.PathLike[str], most: int) -> bytes:
    """A file's content of at most ``most`` bytes.

    Raises:
        TooLargeError: it holds more.
        OSError, ValueError: see :func:`open_regular`.
    """
    with open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise TooLargeError(errno.EFBIG, f"has more than {most:,} bytes", os.fspath(path))
    return content
