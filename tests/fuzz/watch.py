"""What a command does beside computing: an audit hook that notes, and forbids, what its files may not cause.

Forbidden are other programs, sockets, libraries, classes of a pickle, code from the scratch folder, and any
change of the file system outside of the places that a try names.
"""

from __future__ import annotations

import fnmatch
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_CHANGES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_NEVER = (
    *("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty"),
    *("pty.spawn", "os.kill", "os.killpg", "os.startfile", "webbrowser.open"),
    *("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"),
    *("ctypes.dlopen", "pickle.find_class", "ftplib.connect", "http.client.connect", "urllib.Request"),
)
_PLACES = {  # event -> which of its arguments are (path, folder descriptor)
    "os.mkdir": ((0, 2),),
    "os.rename": ((0, 2), (1, 3)),
    "os.link": ((1, 3),),
    "os.symlink": ((1, 2),),
    "os.remove": ((0, 1),),
    "os.rmdir": ((0, 1),),
    "os.truncate": ((0, None),),
    "os.chmod": ((0, 2),),
    "os.chown": ((0, 3),),
    "os.utime": ((0, 3),),
    "os.setxattr": ((0, None),),
    "os.removexattr": ((0, None),),
    "sqlite3.connect": ((0, None),),
}
_FOLLOWED = ("os.truncate", "os.chmod", "os.chown", "os.utime", "sqlite3.connect")
_LOOKED_AT = frozenset((*_NEVER, *_PLACES, "open", "compile", "import"))


class Watch:
    """What one try may change, and what was seen.

    Attributes:
        folder: of the try; nothing outside of it may be changed.
        writes: patterns of names in it that may be made, changed and removed.
        programs: names of programs that may be started.
        seen: what was not expected, in words.
    """

    def __init__(self, folder: str, writes: tuple[str, ...], programs: tuple[str, ...] = ()) -> None:
        self.folder, self.writes, self.programs = os.path.realpath(folder), writes, programs
        self.seen: list[str] = []

    def look(self, event: str, given: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = given
            changes = isinstance(flags, int) and flags & _CHANGES
            found = self._place(path, None, is_followed=True) if changes else None
        elif event in _PLACES:
            followed = event in _FOLLOWED
            places = (
                self._place(given[path], given[at] if at is not None and at < len(given) else None, followed)
                for path, at in _PLACES[event]
            )
            found = next((place for place in places if place is not None), None)
            if event == "os.mkdir" and found is not None and os.path.isdir(found):
                return  # it only makes sure of it
        elif event in ("compile", "import"):
            name = str(given[1] or "")
            found = name if name.startswith(self.folder) else None
        elif event == "subprocess.Popen" and given[0] in self.programs:
            found = None
        else:
            found = repr(given)[:100]
        if found is not None:
            self.seen.append(f"{event} {found}")
            raise PermissionError(f"not expected: {event} {found}")

    def _place(self, path: Any, descriptor: Any, is_followed: bool) -> str | None:
        """The place of a change where it is none of those expected."""
        if isinstance(path, int):
            path = f"/proc/self/fd/{path}"
        name = os.fsdecode(path)
        if isinstance(descriptor, int) and descriptor >= 0 and not os.path.isabs(name):
            name = os.path.join(os.readlink(f"/proc/self/fd/{descriptor}"), name)
        if is_followed:
            real = os.path.realpath(name)
        else:
            real = os.path.join(os.path.realpath(os.path.dirname(name) or "."), os.path.basename(name))
        inside = os.path.relpath(real, self.folder)
        expected = any(fnmatch.fnmatchcase(inside, pattern) for pattern in self.writes)
        return None if real == os.devnull or (expected and not inside.startswith("..")) else real


class _State(threading.local):
    looking = False  # inside of the hook: what it asks the system itself is not looked at


_watch: Watch | None = None
_state = _State()
_installed: list[bool] = []


def _hook(event: str, given: tuple[Any, ...]) -> None:
    watch = _watch
    if watch is None or event not in _LOOKED_AT or _state.looking:
        return
    _state.looking = True
    try:
        watch.look(event, given)
    except ValueError:  # a name with NUL, which the call itself refuses
        pass
    finally:
        _state.looking = False


@contextmanager
def watching(watch: Watch) -> Iterator[Watch]:
    """Inside, whatever the process does is looked at; hooks cannot be taken away, so there is one."""
    global _watch  # noqa: PLW0603
    if not _installed:
        sys.addaudithook(_hook)
        _installed.append(True)
    _watch = watch
    try:
        yield watch
    finally:
        _watch = None
