"""One process writes a run: a lock with an owner and a sign of life.

The kernel's lock (flock) goes with the process, however it ends. File systems of clusters may not share it
between machines, so the file also says whose it is, and its age when its owner last showed a sign of life.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

from ganvas.errors import OptionError
from ganvas.files.plain import load_object
from ganvas.files.schema import is_count, is_text, misfit
from ganvas.files.text import say
from ganvas.functional.instant import timestamp

BEAT = 5.0  # seconds between two signs of life
LOCK = ".lock"
PATIENCE = 60.0  # seconds to wait for the end of an earlier attempt, whose sweep or pipeline was killed
STALE = 60.0  # seconds without one after which another machine's lock is taken over


_held: set[int] = set()


def _let_go_in_child() -> None:
    """A forked loader process would hold the lock on for as long as it outlives a killed run."""
    for handle in _held:
        os.close(handle)
    _held.clear()


os.register_at_fork(after_in_child=_let_go_in_child)


class RunLock:
    """The lock of one run folder; ``with RunLock(folder): ...`` holds it.

    Args:
        folder: what is locked.
        name: the file in it; a sweep's folder has one for each job.

    Raises:
        OptionError: another process holds it.
    """

    def __init__(self, folder: Path, name: str = LOCK) -> None:
        self.folder, self.path = folder, folder / name
        self._done = threading.Event()
        self._handle = -1

    def __enter__(self) -> RunLock:
        try:
            self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise OptionError(
                "RUN", self.folder, f"its lock cannot be written ({error.strerror}); make the folder writable"
            ) from error
        if not self._take():
            owner = read_owner(self.folder, self.path.name)
            os.close(self._handle)
            raise OptionError("RUN", self.folder, f"is being written by {describe(owner)}; wait for its end")
        owner = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": timestamp(),
        }
        with contextlib.suppress(OSError):  # a full disk: the kernel's lock holds all the same
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, json.dumps(owner).encode(), 0)
        _held.add(self._handle)
        self._thread = threading.Thread(target=self._beat, name="ganvas-lock", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._done.set()
        self._thread.join()
        with contextlib.suppress(OSError):
            os.ftruncate(self._handle, 0)  # an empty lock belongs to nobody
        _held.discard(self._handle)
        os.close(self._handle)

    def _take(self) -> bool:
        for attempt in range(3):
            try:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if attempt == 2:
                    return False
                time.sleep(0.1)  # somebody may only be looking (is_held)
            except OSError:  # a file system without locks: owner and age alone
                break
        owner = read_owner(self.folder, self.path.name)
        elsewhere = owner.get("host") not in (None, socket.gethostname())
        return not (elsewhere and owner["age"] < STALE)

    def _beat(self) -> None:
        while not self._done.wait(BEAT):
            with contextlib.suppress(OSError):
                os.utime(self._handle)


def read_owner(folder: Path, name: str = LOCK) -> dict[str, Any]:
    """``pid``, ``host``, ``since`` and ``age`` (seconds without a sign of life); empty where nobody's."""
    path = folder / name
    owner = load_object(path)
    if misfit(owner, {"pid": is_count, "host": is_text}, {"since": is_text}) is not None:
        return {}
    try:
        return owner and owner | {"age": max(0.0, time.time() - path.stat().st_mtime)}
    except OSError:
        return {}


def is_held(folder: Path, name: str = LOCK) -> bool:
    """Whether a living process writes the run."""
    if not (folder / name).is_file():  # opening a pipe would wait for its other end
        return False
    try:
        handle = os.open(folder / name, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(handle, fcntl.LOCK_UN)
    except BlockingIOError:
        return True
    except OSError:
        pass
    finally:
        os.close(handle)
    owner = read_owner(folder, name)
    return owner.get("host") not in (None, socket.gethostname()) and owner["age"] < STALE


def wait_until_free(folder: Path, name: str = LOCK, *, patience: float = PATIENCE) -> None:
    """Waits for the end of a process that outlives by some seconds the one that started it, and says so.

    Args:
        patience: seconds; then whoever takes the lock is refused by the owner's name.
    """
    until = time.monotonic() + patience
    if is_held(folder, name):
        say("waiting for the end of an earlier attempt", error=True, flush=True)
    while is_held(folder, name) and time.monotonic() < until:
        time.sleep(0.2)


def describe(owner: dict[str, Any]) -> str:
    if not owner:
        return "another process"
    return (
        f"process {owner.get('pid')} on {owner.get('host')} since {owner.get('since')}, "
        f"last sign of life {owner['age']:.0f} s ago"
    )
