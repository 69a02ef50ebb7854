"""What memory and disks hold, and one line for memory that was asked for and is not there."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from ganvas.errors import OptionError, OutOfMemoryError
from ganvas.files.read import read_bytes

_SAYS = re.compile(
    r"not enough memory|allocate memory|out of memory|unable to allocate|invalid buffer size"
    r"|size calculation overflowed|cannot allocate",
    re.IGNORECASE,
)
_BYTES = re.compile(r"allocate (?P<bytes>\d+) bytes")
_AMOUNT = re.compile(r"(?:allocate|size:) (?P<amount>[\d.]+) ?(?P<unit>[KMGTPE]?i?B)\b")
_BEYOND = 2**62  # bytes; more is counted by nobody


def memory_error(error: BaseException, how: str) -> OutOfMemoryError | None:
    """One line for an error of Python's, numpy's or torch's by which memory was refused; None for others.

    torch has no class of its own for it on a CPU, and its texts carry a stack of C++ with them.

    Args:
        how: how the user can mend it.
    """
    text = str(error)
    is_cuda = type(error).__name__ == "OutOfMemoryError" and type(error).__module__.startswith("torch")
    is_said = isinstance(error, RuntimeError) and _SAYS.search(text[:2000]) is not None
    if isinstance(error, OutOfMemoryError):
        return error
    if not (isinstance(error, MemoryError) or is_cuda or is_said):
        return None
    asked = ""
    if found := _BYTES.search(text[:2000]):
        asked = f"{in_words(int(found['bytes']))} more were asked for"
    elif found := _AMOUNT.search(text[:2000]):
        asked = f"{found['amount']} {found['unit']} more were asked for"
    is_cuda = is_cuda or "CUDA" in text[:200]
    free = None if is_cuda else free_memory()
    said = [asked] if asked else []
    said += [f"{in_words(free)} are free"] if free is not None else []
    where = "of the GPU" if is_cuda else "of this machine"
    told = f" ({' and '.join(said)})" if said else ""
    return OutOfMemoryError(f"the memory {where} is not enough{told}; {how}")


def free_memory() -> int | None:
    """Bytes that a process can still take, swap included; None on a system that does not say."""
    try:
        text = read_bytes("/proc/meminfo", 1 << 16).decode("ascii")
        lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        return sum(int(lines[name].split()[0]) * 1024 for name in ("MemAvailable", "SwapFree"))
    except (OSError, ValueError, LookupError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None


def require_memory(option: str, value: object, needed: int, what: str) -> None:
    """Raises OptionError where ``what`` needs more bytes than :func:`free_memory`."""
    free = free_memory()
    if free is not None and needed > free:
        reason = f"{what} need {in_words(needed)} of memory, and {in_words(free)} are free; ask for fewer"
        raise OptionError(option, value, reason)


def require_disk(option: str, value: object, needed: int, folder: Path, what: str) -> None:
    """Raises OptionError where ``what`` needs more bytes than a folder's disk has left."""
    there = next((one for one in (folder, *folder.absolute().parents) if one.is_dir()), Path())
    try:
        free = shutil.disk_usage(there).free
    except OSError:  # whoever writes there says it
        return
    if needed > free:
        reason = f"{what} need some {in_words(needed)} in {folder}, which has {in_words(free)} free"
        raise OptionError(option, value, f"{reason}; ask for fewer, or name another folder by --out")


def in_words(size: int) -> str:
    """``7.3 GB``."""
    if size > _BEYOND:
        return "more bytes than can be counted"
    amount, unit = float(size), "bytes"
    for larger in ("kB", "MB", "GB", "TB", "PB", "EB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.3g} {unit}"
