"""The run's end of the line to a tracker's process: it sends and never waits."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

_MOST = 64 * 2**20  # bytes that wait for the other process; one row has about 1,000
_PATIENCE = 60.0  # seconds without an answer after which the tracker counts as hanging

_open: weakref.WeakSet[Channel] = weakref.WeakSet()


def _let_go_in_child() -> None:
    """A forked loader process would keep the line open, and the tracker waiting, after a killed run."""
    for one in list(_open):
        one.let_go()


os.register_at_fork(after_in_child=_let_go_in_child)


class Channel:
    """A tracker's process, and the messages on their way to it.

    Args:
        command: starts it; it reads messages from its standard input, a JSON value a line, and answers each
            by a line ``{}`` or ``{"error": text}`` on its standard output.
        hello: the first message.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, command: Sequence[str], hello: Mapping[str, Any]) -> None:
        self._waiting: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._bytes = 0
        self._sent: list[float] = []  # when what is not answered yet was sent, oldest first
        self._failed: str | None = None  # what went wrong last
        self._is_told = self._is_over = False  # whether the run knows; whether a message was taken since
        self._last: str | None = None  # the same as failed, kept for what the process said before it ended
        self._gone: str | None = None
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C and a batch system's signals are for the run
        )
        _open.add(self)
        self._threads = [
            threading.Thread(target=work, name=f"ganvas-tracker-{work.__name__}", daemon=True)
            for work in (self._write, self._read)
        ]
        for thread in self._threads:
            thread.start()
        self._put(hello)

    def send(self, message: Mapping[str, Any]) -> None:
        """Puts a message on its way.

        Raises:
            OSError: as :meth:`check`, or no answer has come for long; or the process is too far behind: then
                this message is left out.
        """
        if self._gone is None:
            now = time.monotonic()
            late = now - next(iter(self._sent), now)  # another thread takes from it
            with self._lock:
                is_full = self._bytes > _MOST
            if is_full:
                raise OSError(f"the tracker is {_MOST >> 20} MiB behind; what comes now is left out")
            self._put(message)
            if late > _PATIENCE:
                raise OSError(f"no answer for over {_PATIENCE:.0f} seconds; what is logged waits")
        self.check()

    def check(self) -> None:
        """Raises OSError where something went wrong since the last call, or still does.

        An answer comes later than its message, so a failure lasts until another message was taken; then it is
        told, if it was not yet.
        """
        with self._lock:
            reason, self._is_told = self._failed, True
            if self._is_over:
                self._failed = None
        if reason := reason or self._gone:
            raise OSError(reason)

    def close(self, message: Mapping[str, Any], seconds: float) -> None:
        """Sends the last message and waits for the end of the process, at most so long; then kills it.

        Raises:
            OSError: what went wrong, if anything did.
        """
        if self._process.poll() is None and self._gone is None:
            self._put(message)
        self._waiting.put(None)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._failed = f"did not finish within {seconds:g} seconds and was ended"
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)  # and what it has started
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
        for thread in self._threads:
            thread.join(1)
        _open.discard(self)
        if self._process.returncode == 0 and self._failed is None:
            self._gone = None
        self.check()

    def let_go(self) -> None:
        """Puts others in the place of a forked process's copies of both ends.

        Were they closed, their numbers would go to other files, which the objects that hold them close.
        """
        with contextlib.suppress(OSError):
            ends = os.pipe()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None and not pipe.closed:
                    os.dup2(ends[0], pipe.fileno())
            for end in ends:
                os.close(end)

    def _put(self, message: Mapping[str, Any]) -> None:
        line = json.dumps(message).encode() + b"\n"
        with self._lock:
            self._bytes += len(line)
        self._sent.append(time.monotonic())
        self._waiting.put(line)

    def _write(self) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        with contextlib.suppress(OSError):  # it is gone: the reader says so
            while (line := self._waiting.get()) is not None:
                pipe.write(line)
                pipe.flush()
                with self._lock:
                    self._bytes -= len(line)
        with contextlib.suppress(OSError):
            pipe.close()

    def _read(self) -> None:
        pipe = self._process.stdout
        assert pipe is not None
        with pipe:
            for line in pipe:
                with contextlib.suppress(ValueError, AttributeError):
                    self._note(json.loads(line).get("error"))
                if self._sent:
                    self._sent.pop(0)
        code = self._process.wait()
        self._gone = self._last or f"its process ended ({code})"

    def _note(self, error: object) -> None:
        with self._lock:
            if error:
                self._failed = self._last = str(error)
                self._is_told = self._is_over = False
            else:
                self._is_over = True
                if self._is_told:
                    self._failed = None
