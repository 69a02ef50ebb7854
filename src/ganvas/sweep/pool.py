"""Runs the jobs that a source gives out on an engine, until none is left or somebody stops it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import FrameType

from ganvas.errors import require
from ganvas.run.process.signals import handle
from ganvas.sweep.interface import Engine, Job, Result, Source
from ganvas.sweep.manifest import Manifest
from ganvas.sweep.records import STOPPED, Record, result_of

_TICK = 0.05  # seconds between two looks at the engine
_LOOK = 2.0  # seconds between two looks into the folders of running jobs
_GRACE = 30.0  # seconds that a job has to save its state, before it is ended by force
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, kw_only=True)
class PoolOptions:
    """What every launcher takes.

    Attributes:
        timeout: seconds that one attempt at a job may take; None: no limit.
        retries: how often a job that failed is begun again, from its newest checkpoint.
        on_error: ``continue``, or ``stop``: hand out no more jobs once one has failed for good.
    """

    timeout: float | None = None
    retries: int = 0
    on_error: str = "continue"

    def __post_init__(self) -> None:
        require(
            self.timeout is None or self.timeout > 0, "timeout", self.timeout, "must be more than 0:00:00"
        )
        require(self.retries >= 0, "retries", self.retries, "must be 0 or more")
        require(self.on_error in ("continue", "stop"), "on_error", self.on_error, "there are: continue, stop")


class Pool:
    """One sweep's jobs on one engine.

    Args:
        watch: called with (job, result) when a job begins, ends, and every two seconds while it runs.
    """

    def __init__(
        self,
        sweep: Manifest,
        source: Source,
        engine: Engine,
        options: PoolOptions,
        watch: Callable[[Job, Result], None] = lambda _job, _result: None,
    ) -> None:
        self.sweep, self.source, self.engine, self.options, self.watch = sweep, source, engine, options, watch
        self.signal: int | None = None  # what stopped the pool
        self.failed: list[int] = []
        self._running: dict[int, tuple[Job, float]] = {}  # when it began, on the monotonic clock
        self._asked: dict[int, float] = {}  # when it was asked to stop
        self._again: list[Job] = []
        self._tries: dict[int, int] = {}
        self._looked = time.monotonic()
        self._leaves = False  # the jobs go on without this process

    def run(self) -> None:
        """Returns when no job runs any more; ``signal`` says whether it was stopped."""
        restore = handle(self._caught, _STOPS)
        try:
            while not self._is_over():
                self._hand_out()
                self._collect()
                self._look()
                time.sleep(_TICK)
        finally:
            if not self._leaves:
                self.engine.close()
            restore()

    def _is_over(self) -> bool:
        if self._leaves:
            return True
        if self._running:
            return False
        return self._stopping() or (not self._again and self.source.is_done())

    def _stopping(self) -> bool:
        return self.signal is not None or (self.options.on_error == "stop" and bool(self.failed))

    def _hand_out(self) -> None:
        if self._stopping():
            return
        jobs: list[Job] = []
        for _ in range(self.engine.slots()):
            job = self._again.pop(0) if self._again else self.source.next()
            if job is None:
                break
            if not self.engine.fits(job):
                self._again.insert(0, job)
                break
            jobs.append(job)
        for job in jobs:
            Record(self.sweep.folder, job.index).mark(None)
            self._tries[job.index] = self._tries.get(job.index, 0) + 1
        if jobs:
            self.engine.start(jobs)
        for job in jobs:
            self._running[job.index] = job, time.monotonic()
            self.watch(job, replace(result_of(self.sweep, job), state="running"))

    def _collect(self) -> None:
        for index, code in self.engine.ended():
            job, _ = self._running.pop(index)
            self._asked.pop(index, None)
            result = result_of(self.sweep, job)
            if result.code is None and result.state != "finished":
                result = replace(result, code=code)
            if result.state == "waiting":  # it ended before it could write its record
                result = replace(result, state="interrupted" if code in (0, *STOPPED) else "failed")
            crashed = result.state in ("failed", "killed", "broken")
            if crashed and self._tries[index] <= self.options.retries and not self._stopping():
                self.watch(job, result)
                self._again.append(job)
                continue
            if crashed or result.state == "refused":
                self.failed.append(index)
            if self.signal is None or result.state == "finished":
                self.source.ended(job, result)
            self.watch(job, result)

    def _look(self) -> None:
        now = time.monotonic()
        if self._leaves:
            return
        if now - self._looked < _LOOK and not (self.signal and not self._asked):
            return
        self._looked = now
        stop: dict[int, str | None] = {}
        for index, (job, began) in self._running.items():
            if index in self._asked:
                continue
            self.watch(job, replace(result_of(self.sweep, job), state="running"))
            if self.signal is not None:
                stop[index] = None
            elif self.options.timeout is not None and now - began > self.options.timeout:
                stop[index] = "timeout"
            elif self.source.should_stop(job):
                stop[index] = "pruned"
        for index, mark in stop.items():
            Record(self.sweep.folder, index).mark(mark)
            self._asked[index] = now
        if stop:
            self.engine.stop(list(stop))
        late = [index for index, asked in self._asked.items() if now - asked > _GRACE]
        if late:
            self.engine.kill(late)

    def _caught(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            self.engine.close()  # the second time: at once
            raise KeyboardInterrupt
        self.signal = number
        # A lost terminal is no wish to stop what a cluster's queue keeps anyhow.
        self._leaves = number == signal.SIGHUP and self.engine.outlives
        self._looked = 0.0
