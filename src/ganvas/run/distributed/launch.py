"""Starts this machine's ranks of a run, each a fresh process, and stays with them to their end.

This process trains nothing and imports no torch: it hands on signals, learns how each rank ended, and leaves
none behind. A config travels through a pipe, so that its secrets are on no disk and in no environment.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ganvas.errors import NonFiniteError, OptionError, RankError, require
from ganvas.run.distributed.rank_info import MARK
from ganvas.run.folder.failure import write_failure
from ganvas.run.folder.redact import known_secrets
from ganvas.run.folder.run_folder import RunFolder
from ganvas.run.outcome import Outcome
from ganvas.run.process.child import import_path, python_module
from ganvas.run.process.signals import handle

_LOOK = 0.05  # seconds between two looks at the ranks
_GRACE = 40.0  # seconds in which the others must follow a rank that ended badly: they find out which it was
_GRACE_OF_STOPPED = 10.0  # the same after a signal: ranks that have saved end together


def local_ranks(accelerator: Mapping[str, Any]) -> int:
    """How many ranks a config wants on this machine; 0 where its options are refused as they are.

    It imports torch only to count GPUs.
    """
    kind, devices = accelerator.get("accelerator"), accelerator.get("devices")
    if isinstance(devices, str) and devices.isdigit():
        devices = int(devices)
    if isinstance(devices, list):
        count: Any = len(devices)
    elif devices == "auto":
        count = 1 if kind in ("cpu", "mps") else max(1, _gpus())
    else:
        count = devices
    if type(count) is not int or count < 1:
        return 0
    if count == 1:
        return 1
    there = _gpus() if kind != "cpu" else 0
    if there == 0:  # the CPU's turn, or no device at all
        there = (os.cpu_count() or 1) if kind in ("cpu", "auto") else 0
    return count if count <= there else 0


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()


class Node:
    """This machine among those of a run, when no launcher says so.

    Args:
        nodes: ``accelerator.num_nodes``.

    Raises:
        OptionError: several machines, and what each needs to know is not in the environment.
    """

    def __init__(self, nodes: int, environment: Mapping[str, str] = os.environ) -> None:
        self.nodes, self.number, self.address, self.port = nodes, 0, "127.0.0.1", 0
        if nodes > 1:
            names = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK")
            absent = [name for name in names if not environment.get(name)]
            require(
                not absent,
                "accelerator.num_nodes",
                nodes,
                "would wait for machines that nobody starts: "
                f"{' and '.join(absent)} not set; start by torchrun or srun, or set {', '.join(names)} on "
                "every machine, or num_nodes=1",
            )
            text = environment["NODE_RANK"]
            fits = re.fullmatch(r"[0-9]{1,10}", text) is not None and int(text) < nodes
            require(fits, "NODE_RANK", text, f"must be this machine's number, from 0 to {nodes - 1}")
            self.number, self.address = int(text), environment["MASTER_ADDR"]
            text = environment["MASTER_PORT"]
            fits = re.fullmatch(r"[0-9]{1,5}", text) is not None and 0 < int(text) < 2**16
            require(fits, "MASTER_PORT", text, "is no port; set the environment variable to a free one")
            self.port = int(text)

    def listen(self) -> socket.socket | None:
        """The socket at which the first rank's store will answer: taken now, so that nobody else does."""
        if self.number != 0:
            return None
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1" if self.nodes == 1 else "", self.port))
        except OSError as error:
            listener.close()
            raise OptionError(
                "MASTER_PORT",
                self.port,
                f"cannot be listened on ({error.strerror}); set the environment "
                "variable to a free port, the same on every machine",
            ) from error
        listener.listen(2048)
        self.port = listener.getsockname()[1]
        return listener


class Ranks:
    """The processes of this machine's ranks.

    Args:
        node: this machine.
        count: how many.
        payload: what each is to do (see run/distributed/rank_process.py).
    """

    def __init__(self, node: Node, count: int, payload: bytes) -> None:
        self.node, self.count = node, count
        self.processes: list[subprocess.Popen[bytes]] = []
        self.stopped: int | None = None  # the first signal that this process was sent
        self._pipes: list[int] = []
        listener = node.listen()
        try:
            for local_rank in range(count):
                self._start(local_rank, listener if local_rank == 0 else None)
        finally:
            if listener is not None:
                listener.close()
        for process in self.processes:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError), process.stdin:
                process.stdin.write(payload)

    def _start(self, local_rank: int, listener: socket.socket | None) -> None:
        node = self.node
        reading, writing = os.pipe()
        handles = [writing, *([listener.fileno()] if listener is not None else [])]
        environment = os.environ | {
            "RANK": str(node.number * self.count + local_rank),
            "WORLD_SIZE": str(node.nodes * self.count),
            "LOCAL_RANK": str(local_rank),
            "LOCAL_WORLD_SIZE": str(self.count),
            "GROUP_RANK": str(node.number),
            "MASTER_ADDR": node.address,
            "MASTER_PORT": str(node.port),
            "TORCH_CPP_LOG_LEVEL": os.environ.get("TORCH_CPP_LOG_LEVEL", "ERROR"),  # no stack of a lost peer
            MARK: str(os.getpid()),
        }
        command = python_module("ganvas.run.distributed.rank_process", *map(str, handles))
        try:
            self.processes.append(
                subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, pass_fds=handles)
            )
            self._pipes.append(reading)
        finally:
            os.close(writing)

    def hand_on_signals(self) -> Callable[[], None]:
        """Whatever this process is sent, its ranks get; returns what puts the old handlers back."""
        return handle(self._hand_on)

    def _hand_on(self, number: int, frame: Any) -> None:
        self.stopped = self.stopped or number
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)

    def wait(self) -> list[int]:
        """Their exit codes, when all have ended; one that ended badly is followed by the others."""
        ended_badly: float | None = None
        while any(process.poll() is None for process in self.processes):
            bad = any(process.returncode for process in self.processes)
            ended_badly = ended_badly or (time.monotonic() if bad else None)
            grace = _GRACE if self.stopped is None else _GRACE_OF_STOPPED
            if ended_badly is not None and time.monotonic() - ended_badly > grace:
                self.kill()
            time.sleep(_LOOK)
        return [process.returncode for process in self.processes]

    def kill(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()

    def said(self, local_rank: int) -> list[dict[str, Any]]:
        """What an ended rank told of its end: JSON, a line each."""
        pipe, data = self._pipes[local_rank], b""
        os.set_blocking(pipe, False)  # a loader's process may hold the other end open for some seconds
        with contextlib.suppress(BlockingIOError):
            while piece := os.read(pipe, 1 << 16):
                data += piece
        return [json.loads(line) for line in data.decode().splitlines()]

    def close(self) -> None:
        self.kill()
        for pipe in self._pipes:
            os.close(pipe)


def launch(
    run: dict[str, Any],
    *,
    count: int,
    resume: RunFolder | None = None,
    overrides: Sequence[str] = (),
    quiet: bool = False,
) -> Outcome:
    """Trains what ``run`` describes on ``count`` ranks of this machine; as run/train_run.py's ``train``.

    Raises:
        OptionError: no rank trains; nothing is written.
        NonFiniteError: the numbers diverged.
        RankError: a rank died, hung or failed; the others have ended too.
    """
    node = Node(run["config"]["accelerator"]["num_nodes"])
    folder = RunFolder(Path(run["config"]["paths"]["run_dir"]))
    payload = json.dumps(
        {
            "run": run,
            "resume": None if resume is None else str(resume.path),
            "overrides": list(overrides),
            "quiet": quiet,
            "path": import_path(),
            "secrets": known_secrets(),
        }
    ).encode()
    ranks = Ranks(node, count, payload)
    restore = ranks.hand_on_signals()
    try:
        codes = ranks.wait()
        said = [line for local_rank in range(count) for line in ranks.said(local_rank)]
    finally:
        restore()
        ranks.close()
    return _outcome(said, codes, ranks, folder)


def _outcome(said: list[dict[str, Any]], codes: list[int], ranks: Ranks, folder: RunFolder) -> Outcome:
    """What the ranks' words and exit codes come to."""
    told = {name: value for line in reversed(said) for name, value in line.items()}  # the first rank's count
    if "refused" in told:
        raise OptionError(*told["refused"])
    if "non_finite" in told:
        raise NonFiniteError(*told["non_finite"])
    failed = folder.read_status().get("state") == "failed"
    if ranks.stopped is not None and "outcome" not in told and not failed:  # there was nothing to save yet
        return Outcome(folder, "interrupted", 128 + ranks.stopped, {}, is_quiet=not folder.path.exists())
    if text := told.get("lost") or told.get("failed"):
        write_failure(folder, text)
        raise RankError(text)
    if "outcome" in told and not any(code < 0 for code in codes):
        values = told["outcome"]
        values |= {"folder": RunFolder(Path(values["folder"])), "is_quiet": ranks.node.number > 0}
        return Outcome(**values)
    text = ", ".join(_ended(rank, code, ranks) for rank, code in enumerate(codes) if code)
    write_failure(folder, text)
    raise RankError(text)


def _ended(local_rank: int, code: int, ranks: Ranks) -> str:
    rank, world = ranks.node.number * ranks.count + local_rank, ranks.node.nodes * ranks.count
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    where = f"process {ranks.processes[local_rank].pid} on {socket.gethostname()}"
    return f"rank {rank} of {world} ({where}) {how}"
