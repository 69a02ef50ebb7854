"""Jobs as processes of this machine, each in a session of its own, with devices of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from ganvas.run.process.session import end_session
from ganvas.sweep.command import JobCommand
from ganvas.sweep.interface import Job


class Local:
    """Up to ``n_jobs`` at a time; a device is given to the next job as soon as it is free.

    Args:
        command: what a job is.
        n_jobs: jobs at a time.
        gpus: names of the devices to share out (CUDA_VISIBLE_DEVICES); None: every job sees all.
        gpus_per_job: how many a job gets; None: as many as it asks for (``Job.devices``).
        threads: CPU threads of a job; None: as its config and torch have it.
    """

    outlives = False

    def __init__(
        self,
        command: JobCommand,
        *,
        n_jobs: int = 1,
        gpus: Sequence[str] | None = None,
        gpus_per_job: int | None = None,
        threads: int | None = None,
    ) -> None:
        self.command, self.n_jobs, self.gpus_per_job, self.threads = command, n_jobs, gpus_per_job, threads
        self.free = None if gpus is None else list(gpus)
        self._running: dict[int, tuple[subprocess.Popen[bytes], list[str]]] = {}

    def slots(self) -> int:
        room = self.n_jobs - len(self._running)
        if self.free is not None and self.gpus_per_job is not None:
            room = min(room, len(self.free) // self.gpus_per_job)
        elif self.free is not None:
            room = min(room, 1, len(self.free))  # one at a time: the next may ask for several
        return max(0, room)

    def fits(self, job: Job) -> bool:
        """Whether there are devices enough for the job just now."""
        return self.free is None or self._wants(job) <= len(self.free)

    def start(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            mine = [self.free.pop(0) for _ in range(self._wants(job))] if self.free is not None else []
            environment = self.command.environment(job.index, visible=None if self.free is None else mine)
            if self.threads is not None:
                environment.setdefault("OMP_NUM_THREADS", str(self.threads))
            self._running[job.index] = self.command.start(job.index, environment), mine

    def _wants(self, job: Job) -> int:
        return self.gpus_per_job if self.gpus_per_job is not None else job.devices

    def ended(self) -> list[tuple[int, int]]:
        over = [
            (index, code)
            for index, (process, _) in self._running.items()
            if (code := process.poll()) is not None
        ]
        for index, _ in over:
            process, mine = self._running.pop(index)
            end_session(process)
            if self.free is not None:
                self.free += mine
        return over

    def stop(self, indices: Sequence[int]) -> None:
        for index in indices:
            if index in self._running:
                self._running[index][0].terminate()

    def kill(self, indices: Sequence[int]) -> None:
        for index in indices:
            if index in self._running:
                end_session(self._running[index][0])

    def close(self) -> None:
        for process, _ in self._running.values():
            end_session(process)
            process.wait()
        self._running.clear()
