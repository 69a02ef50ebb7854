"""Standard output and error of a command: their readers may go away, their disk may be full."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

_STEADY = ("train", "resume", "job", "sweep", "pipeline")  # what they do is worth more than what they say


def prepare_streams(command: str | None) -> None:
    """Opens what the shell has closed, and lets training and sweeps go on where nobody reads them.

    Call it first thing in the process: a file opened later would get the number of a closed stream, and what
    is printed would go into it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_RDWR), number)
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115  # as long as the process
    sys.stdout = _stream(1, sys.stdout, is_steady=command in _STEADY)
    sys.stderr = _stream(2, sys.stderr, is_steady=True)


def lost_output() -> OSError | None:
    """What the system said against writing to standard output; None where all of it was written."""
    buffer = getattr(sys.stdout, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    return raw.error if isinstance(raw, _Raw) else None


def drop_output() -> None:
    """Nothing that is still to be written to standard output is: the interpreter's end would fail over it."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()


def flush(code: Callable[[], int]) -> int:
    """Runs ``code`` to its exit code, and writes out what it printed while an error can still be told."""
    try:
        answer = code()
    except SystemExit as ended:  # argparse's way, after its help
        answer = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    if sys.stdout is not None:
        sys.stdout.flush()
    return answer


class _Raw(io.FileIO):
    """A stream that notes the first failure; a steady one goes on, and what is written goes nowhere."""

    def __init__(self, number: int, *, is_steady: bool) -> None:
        super().__init__(number, "w", closefd=False)
        self.is_steady = is_steady
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or 0
        except BlockingIOError:
            raise
        except OSError as error:
            self.error = self.error or error
            if not self.is_steady:
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            return memoryview(data).nbytes


def _stream(number: int, like: TextIO | None, *, is_steady: bool) -> TextIO:
    if like is not None:
        like.flush()
    raw = _Raw(number, is_steady=is_steady)
    unbuffered = bool(getattr(like, "write_through", False))  # PYTHONUNBUFFERED: logs of containers
    return io.TextIOWrapper(
        raw if unbuffered else io.BufferedWriter(raw),  # as Python has it
        encoding=getattr(like, "encoding", None) or "utf-8",
        errors="backslashreplace" if number == 2 else "replace",  # a name that is no text is no error
        line_buffering=number == 2 or os.isatty(number),
        write_through=unbuffered,
    )


def is_reader_gone(error: OSError) -> bool:
    """Whether the error is of a pipe or terminal without a reader, which is nobody's fault."""
    return isinstance(error, BrokenPipeError) or error.errno == errno.EIO
