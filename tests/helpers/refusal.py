"""The contract of a user's error, looked at from outside; and a process that may not read everything."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable, Iterator
from pathlib import Path

# Two batches of a tiny GAN, with checkpoint and metrics, and no logger.
SMOKE = ("train", "trainer=smoke", "callback=minimal", "logger=none", "trainer.max_examples=128")
# What a line says to mend it: a rule that is its own advice, what there is, or what follows the semicolon.
_MENDS = ("; ", "must ", "needs ", "there are: ", "did you mean ")


def contents(folder: Path) -> dict[Path, bytes | None]:
    """Everything below a folder, hidden or not, with what is in it."""
    plain = (path for path in folder.rglob("*"))
    return {path: path.read_bytes() if path.is_file() else None for path in plain}


def refused(ganvas: Callable, folder: Path, words: list[str], key: str, *parts: str) -> str:
    """``key=value: reason; how to mend`` on stderr, exit code 2, and not a byte changed in the folder.

    Args:
        ganvas: the fixture of this name.
        folder: where the command runs.
        words: the command line; the value that it gives to ``key`` must be in the line.
        key: what the line must name.
        parts: what the line must hold besides; the first may say the value, ``"=value: "``.

    Returns:
        the line.
    """
    before = contents(folder)
    done = ganvas(*words, code=2)
    said = done.stdout.splitlines()  # what was to be trained, where only torch finds what is wrong
    assert not said or (len(said) == 1 and ", seed " in said[0]), said
    (line,) = done.stderr.splitlines()
    written = [word.partition("=")[2] for word in words if word.lstrip("+").startswith(f"{key}=")]
    if key.startswith("--") and key in words[:-1]:
        written = [words[words.index(key) + 1]]
    value = "".join(x if x.isprintable() else "?" for x in written[-1].strip("'")) if written else ""
    if parts and parts[0].startswith("="):  # another value than the one written
        value = parts[0][1:].partition(": ")[0]
    assert line.startswith(f"{key}={value[:40]}"), line
    assert ": " in line.removeprefix(f"{key}={value[:40]}")
    assert any(mend in line for mend in _MENDS), line
    assert "Traceback" not in line
    for part in parts:
        assert part in line, line
    assert contents(folder) == before
    return line


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Inside, file permissions hold for this thread and those that it starts, also for root (Linux)."""
    library = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this thread
    held, less = (ctypes.c_uint32 * 6)(), (ctypes.c_uint32 * 6)()
    assert library.capget(header, held) == 0
    less[:] = held[:]
    less[0] &= ~0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, of the capabilities in effect
    assert library.capset(header, less) == 0
    try:
        yield
    finally:
        assert library.capset(header, held) == 0
