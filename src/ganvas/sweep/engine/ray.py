"""Jobs as tasks of a Ray cluster, each task with a process of its own for its job.

The tasks belong to the process that handed them in: where it ends, Ray ends them, and each job saves and ends
soon after its task's worker. The sweep's folder must lie where all machines see it.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import secrets
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ganvas.errors import OptionError, require
from ganvas.run.process.child import IMPORT_PATH, import_path
from ganvas.run.process.session import end_session
from ganvas.sweep.command import JobCommand
from ganvas.sweep.interface import Job

_LOOK = 0.2  # seconds between two looks of a task at its job
# Set before Ray is imported: it reports nobody's use, and writes no token into the home folder.
_SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


@functools.cache
def _token() -> str:
    """Of this process's clusters, one after the other: Ray reads it once, and keeps it."""
    return secrets.token_hex(32)


def run_job(command: JobCommand, index: int, stop: Path, folder: str, given: Mapping[str, str]) -> int:
    """What a task does: the job in a process of its own, asked to end once the file ``stop`` is there.

    Args:
        folder: where the sweep was started: relative paths begin there.
        given: variables of the environment there.

    Returns:
        the job's exit code, negative where a signal ended it.
    """
    there = command.environment(index)
    clean = {key: value for key, value in there.items() if not key.startswith("RAY_")}
    if stop.exists():
        return 128 + signal.SIGTERM
    process = command.start(index, {**clean, **given}, folder=folder if os.path.isdir(folder) else None)
    asked = False
    while process.poll() is None:
        if not asked and stop.exists():
            asked = True
            process.terminate()
        time.sleep(_LOOK)
    end_session(process)
    return process.returncode


@dataclass(frozen=True, kw_only=True)
class RayOptions:
    """Where the cluster is, and what one job takes of it.

    Attributes:
        address: None: a cluster of this machine, for this sweep alone; ``auto``: the one that runs here;
            ``ray://HOST:PORT`` or ``HOST:PORT``: another.
        num_cpus: cores of a job.
        num_gpus: devices of a job; None: what its ``accelerator.devices`` asks for, where there are any.
        n_jobs: jobs handed in at a time; None: as many as the cluster has room for.
    """

    address: str | None = None
    num_cpus: float = 1
    num_gpus: float | None = None
    n_jobs: int | None = None

    def __post_init__(self) -> None:
        require(self.num_cpus > 0, "num_cpus", self.num_cpus, "must be more than 0")
        fits = self.num_gpus is None or self.num_gpus >= 0
        require(fits, "num_gpus", self.num_gpus, "must be 0 or more")
        require(self.n_jobs is None or self.n_jobs > 0, "n_jobs", self.n_jobs, "must be at least 1")


@dataclass
class _Task:
    reference: Any
    stop: Path


class Ray:
    """As many jobs at a time as the cluster has room for; Ray itself keeps the queue.

    Args:
        command: what a job is.

    Raises:
        OptionError: Ray is missing, or there is no cluster at the address.
    """

    outlives = False

    def __init__(self, command: JobCommand, options: RayOptions) -> None:
        require(find_spec("ray") is not None, "hydra/launcher", "ray", "needs Ray; pip install 'ganvas[ray]'")
        self.command, self.options = replace(command, sweep=command.sweep.resolve()), options
        self.folder = self.command.sweep / "ray" / secrets.token_hex(6)
        self._own: str | None = None  # the folder of a cluster of our own
        self._ray = self._connect()
        self._has_gpus = self._ray.cluster_resources().get("GPU", 0) > 0
        self._running: dict[int, _Task] = {}

    def slots(self) -> int:
        most = self.options.n_jobs or self._room()
        return max(0, most - len(self._running))

    def fits(self, job: Job) -> bool:
        return True

    def start(self, jobs: Sequence[Job]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        given = {key: value for key, value in os.environ.items() if key.startswith("GANVAS_")}
        given[IMPORT_PATH] = json.dumps(import_path())  # this process's, not the worker's
        for job in jobs:
            task = self._ray.remote(run_job).options(
                num_cpus=self.options.num_cpus, num_gpus=self._gpus(job), max_retries=0, name=job.name
            )
            stop = self.folder / f"{job.index}.stop"
            stop.unlink(missing_ok=True)
            hidden = {job.index: self.command.secrets.get(job.index, {})}
            alone = replace(self.command, secrets=hidden)
            self._running[job.index] = _Task(task.remote(alone, job.index, stop, os.getcwd(), given), stop)

    def ended(self) -> list[tuple[int, int]]:
        references = [task.reference for task in self._running.values()]
        if not references:
            return []
        done, _ = self._ray.wait(references, num_returns=len(references), timeout=0)
        over = []
        for index, task in list(self._running.items()):
            if task.reference in done:
                del self._running[index]
                over.append((index, self._code(task)))
        return over

    def stop(self, indices: Sequence[int]) -> None:
        for index in indices:
            if index in self._running:
                self._running[index].stop.touch()

    def kill(self, indices: Sequence[int]) -> None:
        for index in indices:
            if index in self._running:
                # Its job ends after it: it watches for the end of the process that started it.
                self._ray.cancel(self._running[index].reference, force=True)

    def close(self) -> None:
        self.stop(list(self._running))
        self.kill(list(self._running))
        self._running.clear()
        self._ray.shutdown()
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.folder.parent.rmdir()

    def _code(self, task: _Task) -> int:
        """The exit code of a task that is over; a task that Ray lost was killed."""
        try:
            return int(self._ray.get(task.reference))
        except self._ray.exceptions.RayError:
            return -signal.SIGKILL

    def _gpus(self, job: Job) -> float:
        if self.options.num_gpus is not None:
            return self.options.num_gpus
        return job.devices if self._has_gpus else 0

    def _room(self) -> int:
        """How many jobs the whole cluster can run at a time, by its cores and devices."""
        there = self._ray.cluster_resources()
        room = int(there.get("CPU", 1) // self.options.num_cpus)
        if self.options.num_gpus:
            room = min(room, int(there.get("GPU", 0) // self.options.num_gpus))
        return max(1, room)

    def _connect(self) -> Any:
        """Ray, connected to its cluster; a cluster of our own is ended with this process."""
        os.environ.update(_SETTINGS)
        address = self.options.address
        if address is None:
            # In the environment alone: Ray would write a token into the home folder.
            os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": _token()}
            self._own = tempfile.mkdtemp(prefix="ganvas-ray-", dir="/tmp")  # its sockets' paths must be short
        import ray

        before = signal.getsignal(signal.SIGTERM)
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        try:
            # Ray puts the current folder in front of its workers' import path: not the user's.
            with contextlib.chdir("/"):
                if self._own is not None:
                    ray.init(address="local", include_dashboard=False, _temp_dir=self._own, **quiet)
                else:
                    ray.init(address=address, **quiet)
        except Exception as error:
            if self._own is not None:
                shutil.rmtree(self._own, ignore_errors=True)
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise OptionError(
                "address", address, f"Ray cannot be reached ({reason}); see ray status"
            ) from error
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)  # Ray's own ends the process at once
        return ray
