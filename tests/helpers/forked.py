"""``python -m ganvas ...`` as a fork of a process that has imported everything: see fork_server.py.

Inside :func:`forking`, ``subprocess.Popen`` (and so ``subprocess.run``) forks where it is asked for such a
command, and starts a process as ever for all else. Process numbers, exit codes, signals, sessions and files
are real. Tests of orphans, of /proc/PID/cmdline, of capabilities or limits that a child inherits need real
processes (the mark ``real_processes``), since the parent is the server.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

MODULES = ("ganvas", "ganvas.run.distributed.rank_process", "rank_script")  # what ``python -m`` may name
PACKET = 1 << 17  # bytes of a request: arguments and environment
_REAL = subprocess.Popen
_PATIENCE = 120.0  # seconds that the server's own imports may take on a busy machine


class Forked(subprocess.Popen):
    """A Popen that forks where it can."""

    address: ClassVar[Callable[[], str] | None] = None  # gives the server's socket

    def _execute_child(self, *given: Any) -> None:
        asked = inspect.signature(_REAL._execute_child).bind(self, *given).arguments  # type: ignore[attr-defined]
        request = request_of(**asked)
        self._status: int | None = None
        if request is None:
            super()._execute_child(*given)  # type: ignore[misc]
            return
        address = _address()
        request["serve_children"] = address
        ends, standard = ends_of(asked)
        self._status, writing = os.pipe()
        self._text = b""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.connect(address)
                files = [writing, *standard, *request["pass_fds"]]
                socket.send_fds(sender, [json.dumps(request).encode()], files)
        finally:
            os.close(writing)
            self._child_created = True
            self._close_pipe_fds(*ends)  # type: ignore[attr-defined]
        self._read(None)
        self.pid = int(self._text.split()[0])

    def _read(self, timeout: float | None) -> bool:
        """Waits for more of the status; whether some came."""
        assert self._status is not None
        ready, _, _ = select.select([self._status], [], [], timeout)
        if ready:
            piece = os.read(self._status, 64)
            if not piece:
                raise RuntimeError("the fork server is gone")
            self._text += piece
        return bool(ready)

    def _ended(self, timeout: float | None) -> int | None:
        until = None if timeout is None else time.monotonic() + timeout
        while self.returncode is None and self._text.count(b"\n") < 2:
            if not self._read(None if until is None else max(0.0, until - time.monotonic())):
                return None
        if self.returncode is None:
            assert self._status is not None
            self.returncode = int(self._text.split()[1])
            os.close(self._status)
        return self.returncode

    def _internal_poll(self, *args: Any, **kwargs: Any) -> int | None:
        if getattr(self, "_status", None) is None:
            return super()._internal_poll(*args, **kwargs)  # type: ignore[misc]
        return self._ended(0.0)

    def _wait(self, timeout: float | None) -> int:
        if self._status is None:
            return super()._wait(timeout)  # type: ignore[misc]
        if (code := self._ended(timeout)) is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return code


def ends_of(asked: dict[str, Any]) -> tuple[list[int], list[int]]:
    """The ends of the pipes of a Popen, and the files that are the child's standard streams."""
    ends = [asked[name] for name in ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")]
    return ends, [number if end == -1 else end for number, end in enumerate((ends[0], ends[3], ends[5]))]


def request_of(
    args: Any,
    executable: Any,
    preexec_fn: Any,
    pass_fds: Any,
    cwd: Any,
    env: Any,
    shell: bool,
    gid: Any,
    gids: Any,
    uid: Any,
    umask: int,
    start_new_session: bool,
    process_group: int | None = None,
    **others: Any,
) -> dict[str, Any] | None:
    """What the server is asked for; None where only a real process will do."""
    if (
        isinstance(args, str | bytes)
        or shell
        or preexec_fn
        or (gid, gids, uid, umask) != (None, None, None, -1)
    ):
        return None
    words = [os.fspath(word) for word in args]
    looks_here = words[1:2] != ["-P"]  # whether the current folder is on its import path
    words = words if looks_here else [words[0], *words[2:]]
    if executable not in (None, sys.executable) or words[:2] != [sys.executable, "-m"]:
        return None
    if words[2] not in MODULES:
        return None
    request = {
        "module": words[2],
        "words": words[3:],
        "looks_here": looks_here,
        "cwd": os.path.abspath(cwd or os.getcwd()),
        "env": dict(os.environ if env is None else env),
        "pass_fds": list(pass_fds),
        "start_new_session": start_new_session,
        "process_group": None if process_group in (None, -1) else process_group,
    }
    return request if len(json.dumps(request)) < PACKET - 1000 else None


def _address() -> str:
    give = Forked.__dict__["address"]
    return give()


def serve_children(address: Callable[[], str]) -> None:
    """From now on what this process starts is forked by the server at this address."""
    Forked.address = address  # type: ignore[method-assign]
    subprocess.Popen = Forked  # type: ignore[misc]


@contextlib.contextmanager
def forking(address: Callable[[], str]) -> Iterator[None]:
    """Inside, what this process starts is forked; ``address`` is called when something is."""
    serve_children(address)
    try:
        yield
    finally:
        subprocess.Popen = _REAL  # type: ignore[misc]


@contextlib.contextmanager
def server() -> Iterator[str]:
    """A server of this process's; its address. torch reads the two variables once, when it is imported."""
    reading, writing = os.pipe()
    with tempfile.TemporaryDirectory(prefix="ganvas-forks-") as folder:  # a socket's path has 107 letters
        address = os.path.join(folder, "socket")
        command = [sys.executable, str(Path(__file__).with_name("fork_server.py")), address, str(reading)]
        process = _REAL(
            command,
            pass_fds=[reading],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"},
        )
        os.close(reading)
        try:
            until = time.monotonic() + _PATIENCE
            while not os.path.exists(address):
                assert process.poll() is None, "the fork server did not start"
                assert time.monotonic() < until, f"no fork server after {_PATIENCE:g} s"
                time.sleep(0.02)
            yield address
        finally:
            os.close(writing)
            process.wait()
