"""What a piece of code asks of the machine: files written, folders made, connections, processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_STARTS = {
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "pty.spawn",
    "os.startfile",
}
_CONNECTS = {"socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.bind", "urllib.Request"}
_FOLDERS = {
    "os.mkdir",
    "os.rename",
    "os.link",
    "os.symlink",
    "os.remove",
    "os.rmdir",
    "os.truncate",
    "os.chmod",
}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass
class Audit:
    """What was seen.

    Attributes:
        written: files and folders that were opened for writing, made, renamed or removed.
        connected: connections and look-ups, with their arguments.
        started: processes.
        loaded: libraries, loaded by name.
    """

    written: set[Path] = field(default_factory=set)
    connected: list[tuple[str, Any]] = field(default_factory=list)
    started: list[tuple[str, Any]] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)

    def beyond(self, *allowed: Path) -> list[Path]:
        """What was written and lies in none of the allowed folders; nothing of Python's own caches."""
        own = [Path(os.path.realpath(one)) for one in allowed]
        return sorted(
            path
            for path in self.written
            if not any(path.is_relative_to(one) for one in own)
            and "__pycache__" not in path.parts
            and not path.is_relative_to("/dev")
            and not path.is_relative_to("/proc")
        )


_seen: list[Audit] = []  # the innermost is last; hooks cannot be taken off again
_hooked: list[bool] = []


@contextmanager
def audited() -> Iterator[Audit]:
    """Inside, everything that this process does is noted; in all its threads."""
    if not _hooked:
        sys.addaudithook(_note)
        _hooked.append(True)
    audit = Audit()
    _seen.append(audit)
    try:
        yield audit
    finally:
        _seen.remove(audit)


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    for audit in _seen:
        if event == "open":
            path, mode, flags = arguments
            writes = any(letter in mode for letter in "wax+") if isinstance(mode, str) else False
            if (writes or (isinstance(flags, int) and flags & _WRITES)) and isinstance(
                path, str | bytes | os.PathLike
            ):
                audit.written.add(_real(path))
        elif event in _FOLDERS:
            audit.written.update(
                _real(one) for one in arguments[:2] if isinstance(one, str | bytes | os.PathLike)
            )
        elif event in _CONNECTS:
            if not (event in ("socket.connect", "socket.bind") and isinstance(arguments[1], str | bytes)):
                audit.connected.append((event, arguments[1:]))
        elif event in _STARTS:
            audit.started.append((event, arguments))
        elif event == "ctypes.dlopen" and arguments[0]:
            audit.loaded.append(str(arguments[0]))


def _real(path: Any) -> Path:
    """Without what a link of that name leads to: the link itself is what is made or removed."""
    text = os.path.abspath(os.fsdecode(path))
    return Path(os.path.realpath(os.path.dirname(text)), os.path.basename(text))
