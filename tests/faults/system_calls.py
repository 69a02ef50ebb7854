"""Faults in the system calls by which files change, wherever a program makes them: see system_calls.c.

The library stands before libc in this process and its forks (LD_PRELOAD), and does nothing until it is armed.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

OPEN, WRITE, SYNC, RENAME, LINK, REMOVE, FOLDER, TRUNCATE, LOCK = (1 << bit for bit in range(9))
NAMES = {
    OPEN: "open",
    WRITE: "write",
    SYNC: "fsync",
    RENAME: "rename",
    LINK: "link",
    REMOVE: "unlink",
    FOLDER: "mkdir",
    TRUNCATE: "truncate",
    LOCK: "flock",
}
CHANGES = OPEN | WRITE | SYNC | RENAME | LINK | REMOVE | FOLDER | TRUNCATE
KILL_BEFORE, KILL_AFTER, KILL_WITHIN = -1, -2, -3  # outcomes beside an errno; the last one writes half
ALWAYS = 1 << 40

_FILE = "GANVAS_FAULTS_LIBRARY"


def preload() -> None:
    """Begins this program anew with the library; returns where it is there, or cannot be compiled."""
    if is_there():
        os.environ.pop("LD_PRELOAD", None)  # forks have it in any case, and no other program needs it
        shutil.rmtree(Path(os.environ.pop(_FILE)).parent, ignore_errors=True)
        return
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not sys.platform.startswith("linux") or compiler is None or "LD_PRELOAD" in os.environ:
        print("no C compiler, or no Linux: the tries in which system calls fail or kill are left out")
        return
    library = Path(tempfile.mkdtemp(prefix="ganvas-calls-")) / "system_calls.so"
    source = Path(__file__).with_suffix(".c")
    command = [compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"{source.name} does not compile here ({done.stderr.strip()[:300]}): its tries are left out")
        shutil.rmtree(library.parent)
        return
    sys.stdout.flush()
    os.environ |= {"LD_PRELOAD": str(library), _FILE: str(library)}
    os.execv(sys.executable, [sys.executable, *sys.argv])


def is_there() -> bool:
    return hasattr(ctypes.CDLL(None), "ganvas_arm")


def arm(
    calls: int, below: Path, outcome: int, *, first: int = 1, last: int | None = None, end: str = ""
) -> None:
    """From now on the ``first``-th to the ``last``-th of these calls below a folder have this outcome.

    Args:
        calls: what is counted, e.g. ``WRITE | SYNC``.
        outcome: an errno, or KILL_BEFORE, KILL_AFTER, KILL_WITHIN.
        last: the same as ``first`` where it is not given.
        end: only paths with this end.
    """
    upto = first if last is None else last
    _library().ganvas_arm(calls, os.fsencode(below), os.fsencode(end), first, upto, outcome)


def watch(below: Path) -> None:
    """From now on calls below a folder are counted, and that is all."""
    arm((1 << 9) - 1, below, 0, first=ALWAYS)


def counted() -> dict[int, int]:
    """Calls of each kind since the library was armed, of those that it was armed for."""
    return {call: int(_library().ganvas_counted(call)) for call in NAMES}


def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(None)
    library.ganvas_arm.argtypes = [
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.c_long,
        ctypes.c_long,
        ctypes.c_int,
    ]
    library.ganvas_counted.argtypes, library.ganvas_counted.restype = [ctypes.c_int], ctypes.c_long
    return library
