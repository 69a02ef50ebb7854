"""Processes for the fault matrix: torch and ganvas are imported once, every try is a fork of that process.

A try runs in a process and a folder of its own; what it starts (runs that are killed, resumed ...) are
forks of it in turn, so that a run costs what it computes and not four seconds of imports.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import select
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

# Tries at a time: one of them waits for a disk, a signal or a peer.
PARALLEL = min(len(os.sched_getaffinity(0)), 16) + 1
_SUBREAPER = 36  # prctl(2): orphans of a try come to the try, which ends them


class Ended(NamedTuple):
    """A process that is over: exit code (negative: the signal that ended it) and what it printed."""

    code: int
    out: str
    err: str

    def __str__(self) -> str:
        last = " | ".join((self.out + self.err).strip().splitlines()[-3:])
        return f"exit {self.code}: {last[-600:]}"


def import_all() -> None:
    """Everything a run imports; no thread may be alive afterwards, because a fork does not take it along."""
    import importlib

    for name in (
        "torch.utils.tensorboard",
        "PIL.Image",
        "PIL.ImageDraw",
        "hydra._internal.hydra",
        "pytorch_lightning",
        "torchmetrics",
        "antlr4.LL1Analyzer",
        "ganvas.cli.sweep.launchers",
        "omegaconf._impl",
        "tensorboard.compat.proto.event_pb2",
        "tensorboard.plugins.hparams.api_pb2",
        "tensorboard.plugins.hparams.metadata",
        "torch.profiler._cupti_monitor",
        "torch.utils.serialization.config",
        "fsspec.implementations.chained",
        "encodings.utf_8_sig",  # another user may not be able to read it
    ):
        importlib.import_module(name)
    importlib.import_module("PIL.Image").preinit()
    package = Path(importlib.import_module("ganvas").__file__ or "").parent
    for path in sorted(package.rglob("*.py")):
        name = ".".join(path.relative_to(package.parent).with_suffix("").parts)
        if not name.endswith(("__init__", "__main__")):
            importlib.import_module(name)
    import torch

    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()  # forks share what is there: no collection writes to its pages


def _fork() -> int:
    threads = os.listdir("/proc/self/task")
    assert len(threads) == 1, f"{len(threads)} threads are alive: a fork would lose them"
    sys.stdout.flush()
    sys.stderr.flush()
    return os.fork()


class Child:
    """A function that runs in a fork, in ``folder``; its return value is the exit code."""

    number = 0

    def __init__(self, function: Callable[[], int], folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        Child.number += 1
        self.files = [folder.resolve() / f"{Child.number:02d}.{kind}" for kind in ("out", "err")]
        self.began = time.monotonic()
        self.code: int | None = None
        self.pid = _fork()
        if self.pid == 0:
            os._exit(self._run(function, folder))

    def _run(self, function: Callable[[], int], folder: Path) -> int:
        code = 1
        try:
            os.setpgid(0, 0)
            os.chdir(folder)
            for number, path in enumerate(self.files, start=1):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
            code = function()
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            _flush()
        return code

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def send(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def wait(self, timeout: float = 60.0) -> Ended:
        """Waits for the end; a process that outlives the timeout is killed, and its code says so."""
        descriptor = os.pidfd_open(self.pid) if self.poll() is None else None
        if descriptor is not None:
            ready, _, _ = select.select([descriptor], [], [], timeout)
            os.close(descriptor)
            if not ready:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                self.code = 124
        code = self.poll()
        assert code is not None
        texts = [path.read_text(errors="replace") if path.exists() else "" for path in self.files]
        return Ended(code, *texts)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()


def ganvas(
    words: Iterable[str], folder: Path, *, before: Callable[[], None] | None = None, timeout: float = 60.0
) -> Ended:
    """``ganvas WORDS`` in ``folder``; ``before`` runs in the process first (faults are put in there)."""
    return start(words, folder, before=before).wait(timeout)


def start(words: Iterable[str], folder: Path, *, before: Callable[[], None] | None = None) -> Child:
    """The same without waiting."""
    from ganvas.cli.main import main

    listed = [str(word) for word in words]

    def run() -> int:
        if before is not None:
            before()
        return main(listed)

    return Child(run, folder)


@dataclass
class Try:
    """One try: ``function(folder)`` returns None where it survived, else what differed.

    It may return ``(None or text, count)`` where it stands for several faults (a chain of kills).
    """

    name: str
    function: Callable[[Path], Any]
    timeout: float = 90.0  # seconds


@dataclass
class Result:
    name: str
    difference: str | None
    count: int
    seconds: float
    folder: Path | None = None


@dataclass
class _Running:
    task: Try
    pid: int
    reader: int
    folder: Path
    began: float = field(default_factory=time.monotonic)


def run_tries(
    tries: Iterable[Try], work: Path, *, parallel: int = PARALLEL, keep: bool = False, results: list[Result]
) -> list[Result]:
    """Runs every try, ``parallel`` at a time, into ``results``; folders of tries that survived are removed.

    A try is asked for when there is room, so that a section can look at the results so far.
    """
    waiting: Iterator[Try] = iter(tries)
    running: list[_Running] = []
    more = True
    while more or running:
        while more and len(running) < parallel:
            task = next(waiting, None)
            if task is None:
                more = False
            else:
                running.append(_launch(task, work / f"{len(results) + len(running):04d}-{task.name}"))
        if not running:
            break
        soonest = min(one.began + one.task.timeout for one in running)
        ready, _, _ = select.select(
            [one.reader for one in running], [], [], max(0.0, soonest - time.monotonic())
        )
        for one in [r for r in running if r.reader in ready or time.monotonic() > r.began + r.task.timeout]:
            running.remove(one)
            result = _collect(one, one.reader in ready)
            if result.difference is None and not keep:
                shutil.rmtree(one.folder, ignore_errors=True)
                result.folder = None
            results.append(result)
    return results


def _launch(task: Try, folder: Path) -> _Running:
    folder.mkdir(parents=True)
    reader, writer = os.pipe()
    pid = _fork()
    if pid:
        os.close(writer)
        return _Running(task, pid, reader, folder)
    try:
        os.setpgid(0, 0)
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
        try:
            said = task.function(folder)
        except BaseException as error:
            said = f"the try itself failed: {''.join(traceback.format_exception(error))[-1500:]}"
        difference, count = said if isinstance(said, tuple) else (said, 1)
        end_descendants()
        os.write(writer, json.dumps([difference and difference[:6000], count]).encode())
    finally:
        os._exit(0)


def _collect(one: _Running, ready: bool) -> Result:
    difference, count = f"no end after {one.task.timeout:.0f} s", 1
    if ready:
        text = b""
        while piece := os.read(one.reader, 65536):
            text += piece
        difference, count = json.loads(text) if text else ("the try's process died", 1)
    else:
        for pid in descendants(one.pid):
            _kill(pid)
        _kill(one.pid)
    os.close(one.reader)
    os.waitpid(one.pid, 0)
    return Result(one.task.name, difference, count, time.monotonic() - one.began, one.folder)


def descendants(pid: int) -> list[int]:
    """The processes below ``pid``, parents first."""
    try:
        children = [int(x) for x in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return children + [below for child in children for below in descendants(child)]


def end_descendants() -> None:
    """Kills and reaps whatever a try has left, orphaned workers too."""
    for pid in descendants(os.getpid()):
        _kill(pid)
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        pass


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
