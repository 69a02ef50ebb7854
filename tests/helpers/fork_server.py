"""A process that has imported torch, Lightning and ganvas, and forks for each process that a test starts.

``python fork_server.py SOCKET LIFE``: takes requests at a unix socket until the pipe LIFE (a file's number)
is closed. A request is one packet: JSON, and with it the files [status, stdin, stdout, stderr, *pass_fds].
Into ``status`` the server writes the child's process number and, when it has ended, its exit status, a line
each.
The child is what ``python -m ganvas ...`` would be: its own environment, folder, session, files, signals.
What differs: its parent is this process, and /proc/PID/environ and cmdline are this process's.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import io
import json
import os
import runpy
import select
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import forked
from forked import MODULES, PACKET

_TESTS = Path(__file__).parents[1]
_HIGH = 500  # files of a child lie above this number until they are where they belong
_IN_HAND = (
    "torch.utils.tensorboard",
    "PIL.Image",
    "PIL.ImageDraw",
    "hydra._internal.hydra",
    "omegaconf._impl",
    "antlr4.LL1Analyzer",
    "tensorboard.compat.proto.event_pb2",
    "pytorch_lightning",
    "torchmetrics",
    "torch._dynamo",
    "multiprocessing.popen_fork",
)


def import_all() -> None:
    """Everything a run imports; no thread may be alive afterwards, because a fork does not take it along."""
    import gc
    import importlib

    from ganvas.run.process.lean_import import keep_torchmetrics_lean

    keep_torchmetrics_lean()
    for name in _IN_HAND:
        importlib.import_module(name)
    importlib.import_module("PIL.Image").preinit()
    package = Path(importlib.import_module("ganvas").__file__ or "").parent
    for path in sorted(package.rglob("*.py")):
        name = ".".join(path.relative_to(package.parent).with_suffix("").parts)
        if name not in MODULES and not name.endswith(("__init__", "__main__")):
            importlib.import_module(name)
    import torch

    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()  # forks share what is there: no collection writes to its pages


def serve(listener: socket.socket, life: int) -> None:
    children: dict[int, tuple[int, int]] = {}  # pidfd: process number, status
    while True:
        ready, _, _ = select.select([listener, life, *children], [], [])
        if life in ready:
            return
        for one in [pidfd for pidfd in ready if pidfd in children]:
            pid, status = children.pop(one)
            _tell(status, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            os.close(one)
            os.close(status)
        if listener in ready:
            request, files, _, _ = socket.recv_fds(listener, PACKET, 64)
            assert len(os.listdir("/proc/self/task")) == 1, "a fork would lose threads"
            if (pid := os.fork()) == 0:
                asked = json.loads(request)
                become(asked, files, partial(_serve_children, asked["serve_children"]))
            status, *others = files
            for number in others:
                os.close(number)
            children[os.pidfd_open(pid)] = pid, status
            _tell(status, pid)


def _tell(status: int, value: int) -> None:
    with contextlib.suppress(BrokenPipeError):  # whoever asked is gone
        os.write(status, f"{value}\n".encode())


def _serve_children(address: str) -> None:
    forked.serve_children(lambda: address)


def become(asked: dict[str, Any], files: list[int], ready: Callable[[], None]) -> NoReturn:
    """The child: puts everything as a new process finds it, runs the module, and ends as Python ends.

    ``ready`` is called before the module is run; ``files`` is what the module's docstring lists.
    """
    code = 1
    try:
        if asked["start_new_session"]:
            os.setsid()
        elif asked["process_group"] is not None:
            os.setpgid(0, asked["process_group"])
        _place(dict(zip([0, 1, 2, *asked["pass_fds"]], files[1:], strict=True)))
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(asked["cwd"])
        os.environ.clear()
        os.environ.update(asked["env"])
        _standard_streams()
        __import__("numpy").random.seed()  # else all children draw the same
        sys.path[:] = [entry for entry in sys.path if not Path(entry).is_relative_to(_TESTS)]
        own = asked["env"].get("PYTHONPATH", "").split(os.pathsep)
        sys.path[:0] = [entry for entry in own if entry and entry not in sys.path]
        if asked["looks_here"]:
            sys.path.insert(0, asked["cwd"])
        ready()
        code = _run(asked["module"], asked["words"])
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def _place(where: dict[int, int]) -> None:
    """Puts every file at its number, and closes all others."""
    high = {number: fcntl.fcntl(file, fcntl.F_DUPFD, _HIGH) for number, file in where.items()}
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in high.values() and int(name) > 2:
            with contextlib.suppress(OSError):
                os.close(int(name))
    for number, file in high.items():
        os.dup2(file, number)
        os.close(file)


def _standard_streams() -> None:
    """The streams of a new process: their buffers hold nothing of the server's."""
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, "r", closefd=False)))
    sys.stdout = _writer(1)
    sys.stderr = _writer(2, errors="backslashreplace", line_buffering=True)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]


def _writer(number: int, **options: Any) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BufferedWriter(io.FileIO(number, "w", closefd=False)), **options)


def _run(module: str, words: list[str]) -> int:
    sys.argv = [module, *words]
    code: int | str | None = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as error:
        code = error.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
            code = 1
    except KeyboardInterrupt:
        traceback.print_exc()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]  # threads that are no daemons are waited for
    atexit._run_exitfuncs()
    return int(code or 0) & 0xFF


def main() -> None:
    path, life = sys.argv[1], int(sys.argv[2])
    import_all()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(path)
    serve(listener, life)


if __name__ == "__main__":
    main()
