"""A tracker's process: takes messages from the run, and tells the tracker. It imports nothing of ganvas.

Messages are lines of JSON on the standard input: first what :class:`ganvas.logger.process.tracker.Tracker`
says of the run, then ``row``, ``image``, ``audio`` and at the end ``close``. Each but the last is answered by
a line, ``{}`` or ``{"error": text}``. Where the input ends without ``close`` the run was killed, and the
tracker is closed too.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import importlib.util
import json
import math
import os
import queue
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

_LOCK_SECONDS = 90.0  # to wait for the process of an earlier attempt, which is finishing


def main() -> None:
    name = sys.argv[1]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # a batch system's, sent to all of a job:
        signal.signal(number, signal.SIG_IGN)  # the run stops well, and ends the line
    inbox, outbox = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "w", buffering=1)
    hello = json.loads(inbox.readline())
    home = Path(hello["home"])
    temporary = tempfile.mkdtemp(prefix="ganvas-")  # sockets lie there too, whose paths must be short
    _redirect(home / "output.log")
    code = 1
    try:
        _settle(home, temporary, is_online=hello["is_online"])
        messages = _follow(inbox, hello["seconds"], temporary)
        _serve(name, hello, home, Path(temporary), messages, outbox)
        code = 0
    except BaseException as error:
        with contextlib.suppress(OSError, ValueError):
            outbox.write(json.dumps({"error": _text(error)}) + "\n")
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        with contextlib.suppress(OSError, ValueError):
            outbox.flush()
        os._exit(code)  # what a tracker has registered for the end may wait for a network


def _serve(
    name: str,
    hello: dict[str, Any],
    home: Path,
    temporary: Path,
    messages: queue.SimpleQueue[Any],
    outbox: Any,
) -> None:
    _wait_for_earlier(home / ".lock")
    tracker = _adapter(name)
    tracker.open(hello)
    _without_links(home)
    book = _Book(tracker, Path(hello["save_dir"]), temporary, home / "logged.json")
    answer = {}
    for step, found in sorted(_history(hello), key=lambda one: one[0]):
        if error := _attempt(partial(book.enter, step, found)):
            answer = {"error": error}
    status = "killed"
    while True:
        with contextlib.suppress(OSError):  # the run is gone; the tracker shall have what it sent
            outbox.write(json.dumps(answer) + "\n")
        message = messages.get()
        if message is None or message["kind"] == "close":
            status = status if message is None else message["status"]
            break
        error = _attempt(partial(book.take, message))
        answer = {"error": error} if error else {}
    tracker.close(status)
    _without_links(home)


class _Book:
    """What goes to the tracker: of each tag only steps beyond those that it holds.

    Args:
        tracker: the adapter, open.
        store: where the tracker writes.
        temporary: a folder for files that are handed to it.
        notes: a file of what was logged, for a tracker that does not say what it holds (``logged`` is None).
    """

    def __init__(self, tracker: Any, store: Path, temporary: Path, notes: Path) -> None:
        self.tracker, self.store, self.temporary = tracker, store, temporary
        held: dict[str, int] | None = tracker.logged()
        self.notes = notes if held is None else None
        self.logged = _noted(notes) if held is None else held
        self.floor = self.logged.pop("", -1)  # of all tags

    def enter(self, step: int, found: dict[str, float] | Path) -> None:
        """Logs scalars, or an image of samples/, where they are new."""
        if isinstance(found, dict):
            new = {tag: value for tag, value in found.items() if self._is_new(tag, step)}
            if new:
                self.tracker.row(step, new)
                self._note()
        elif self._is_new("samples", step):
            self.tracker.image("samples", found, step)
            self._note()

    def take(self, message: dict[str, Any]) -> None:
        """Logs what a message brings."""
        if not self.store.is_dir():  # some trackers write on into files that have no name any more
            raise FileNotFoundError(f"{self.store} is gone")
        step = message["step"]
        if message["kind"] == "row":
            self.enter(step, message["values"])
        elif self._is_new(message["tag"], step):
            path = Path(tempfile.mkdtemp(dir=self.temporary), f"{step:012d}{message['ending']}")
            path.write_bytes(base64.b64decode(message["data"]))
            getattr(self.tracker, message["kind"])(message["tag"], path, step)
            self._note()

    def _note(self) -> None:
        if self.notes is not None:
            part = self.temporary / self.notes.name
            part.write_text(json.dumps(self.logged))
            shutil.move(part, self.notes)

    def _is_new(self, tag: str, step: int) -> bool:
        if step <= max(self.floor, self.logged.get(tag, -1)):
            return False
        self.logged[tag] = step
        return True


def _noted(notes: Path) -> dict[str, int]:
    try:
        found = json.loads(notes.read_text())
        return {tag: step for tag, step in found.items() if type(step) is int}
    except (OSError, ValueError, AttributeError):
        return {}


def _attempt(work: Callable[[], None]) -> str | None:
    """What went wrong, if anything did."""
    try:
        work()
    except Exception as error:
        return _text(error)
    return None


def _wait_for_earlier(lock: Path) -> None:
    """Until the process of an earlier attempt has finished; the lock is held to this one's end."""
    handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    waiting = threading.Timer(_LOCK_SECONDS, os._exit, [1])
    waiting.daemon = True
    waiting.start()
    fcntl.flock(handle, fcntl.LOCK_EX)
    waiting.cancel()


def _adapter(name: str) -> Any:
    """The file of that name beside this one, which is no module of its package's name."""
    spec = importlib.util.spec_from_file_location(f"ganvas_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Adapter()


def _follow(inbox: Any, seconds: float, temporary: str) -> queue.SimpleQueue[Any]:
    """The messages, read by a thread; None after the last one. Once it is there, the process soon ends."""
    messages: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def end() -> None:
        shutil.rmtree(temporary, ignore_errors=True)
        os._exit(1)

    def read() -> None:
        with contextlib.suppress(OSError, ValueError):
            for line in inbox:
                messages.put(json.loads(line))
        messages.put(None)
        last = threading.Timer(seconds, end)
        last.daemon = True
        last.start()

    threading.Thread(target=read, daemon=True).start()
    return messages


def _history(hello: dict[str, Any]) -> Iterator[tuple[int, dict[str, float] | Path]]:
    """What the run has logged before: steps with finite scalars of metrics.jsonl, or an image of samples/."""
    yield from _rows(Path(hello["rows"]), hello["rows_bytes"])
    for path in Path(hello["samples"]).glob("*.png"):
        if path.stem.isdecimal() and int(path.stem) < hello["step"]:
            yield int(path.stem), path


def _rows(path: Path, size: int) -> Iterator[tuple[int, dict[str, float]]]:
    """Of metrics.jsonl as it was when the run opened the line: what came since comes over the line."""
    if not size:
        return
    with path.open("rb") as file:
        for line in file.read(size).splitlines():
            try:
                row = json.loads(line)
                step, _ = row.pop("examples"), row.pop("batch", None)
            except (ValueError, KeyError, AttributeError, TypeError):
                continue
            values = {tag: value for tag, value in row.items() if type(value) in (int, float)}
            yield step, {tag: float(value) for tag, value in values.items() if math.isfinite(value)}


def _redirect(path: Path) -> None:
    """What the tracker prints goes to a file of the run."""
    output = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for here, there in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(here, there)


def _settle(home: Path, temporary: str, *, is_online: bool) -> None:
    """Whatever looks for a place to write finds the run's folder, and no telemetry is sent."""
    os.environ |= {
        "TMPDIR": temporary,
        "DO_NOT_TRACK": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "GIT_PYTHON_REFRESH": "quiet",
    }
    tempfile.tempdir = temporary
    places = {"XDG_CACHE_HOME": "cache", "XDG_CONFIG_HOME": "config", "XDG_DATA_HOME": "data"}
    os.environ |= {name: str(home / "home" / folder) for name, folder in places.items()}
    if not is_online:  # a service's client may need what lies there: certificates, other services' keys
        os.environ["HOME"] = str(home / "home")
    (home / "home").mkdir(exist_ok=True)
    os.chdir(home)


def _without_links(home: Path) -> None:
    """Takes links away: a run's folder may be moved, and one whose links lead out is no longer taken."""
    for parent, folders, files in os.walk(home):
        for name in (*folders, *files):
            path = Path(parent, name)
            if path.is_symlink():
                with contextlib.suppress(OSError):
                    path.unlink()


def _text(error: BaseException) -> str:
    said = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


if __name__ == "__main__":
    main()
