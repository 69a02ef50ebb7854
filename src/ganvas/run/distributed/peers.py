"""The processes of the ranks: on which machine each is, whether it is there, and where in its code."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Peer:
    """A process.

    Attributes:
        host: its machine's name.
        machine: what two processes share that can see each other by their numbers.
        pid: its number.
        born: when it began, in the kernel's ticks: numbers are used again.
    """

    host: str
    machine: str
    pid: int
    born: int

    @classmethod
    def this(cls) -> Peer:
        host = socket.gethostname()
        return cls(host, f"{host} {_boot()}", os.getpid(), _born(os.getpid()) or 0)

    def values(self) -> dict[str, Any]:
        return asdict(self)

    def is_running(self) -> bool:
        """Whether it is there; only a process of its own machine may ask. A stopped one is, a zombie not."""
        if sys.platform == "linux":
            return _born(self.pid) == self.born
        with contextlib.suppress(PermissionError):
            try:
                os.kill(self.pid, 0)
            except ProcessLookupError:
                return False
        return True

    def kill(self) -> None:
        """Ends it at once, where it is still the same process."""
        if self.is_running():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, signal.SIGKILL)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def _born(pid: int) -> int | None:
    """When a living process began; None where there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _boot() -> str:
    """What a container has of its own: the kernel's run, and the space of its process numbers."""
    try:
        run = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{run} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def main_thread_place() -> str:
    """Where this process's main thread is: ``net.py:12 in forward``, innermost outside of libraries."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    innermost = frame
    while frame is not None and _is_of_libraries(frame.f_code.co_filename):
        frame = frame.f_back
    frame = frame or innermost
    if frame is None:
        return "?"
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} in {frame.f_code.co_name}"


def _is_of_libraries(file: str) -> bool:
    return "site-packages" in file or file.startswith(("<", sys.base_prefix + "/lib/python"))
