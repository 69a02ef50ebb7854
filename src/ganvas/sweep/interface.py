"""What the parts of a sweep know of each other: a job, what gives jobs out, what runs them.

The pool (pool.py) takes jobs from a Source and hands them to an Engine. An Engine runs, somewhere, the
command ``ganvas job SWEEP INDEX`` in a process of its own: that command reads the job's frozen config from
sweep.json, holds the job's lock, trains or resumes, and writes the job's record; it needs the folder alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Job:
    """One run of a sweep, as sweep.json has it.

    Attributes:
        index: its place in the sweep, from 0; ``ganvas job SWEEP INDEX``.
        key: hash of its config without machine keys: two jobs of one key are the same experiment.
        name: its folder's name in the sweep, e.g. ``003_lr-0.01``.
        differs: the overrides that not every job has, secrets hidden.
        variant: the combination, or the trial of a study, that it belongs to; shared by its repeats.
        repeat: which of the variant's seeds it has, from 0.
        devices: how many devices of one machine it asks for.
    """

    index: int
    key: str
    name: str
    differs: list[str]
    variant: int
    repeat: int = 0
    devices: int = 1


@dataclass(frozen=True)
class Result:
    """How a job stands, from its record and its run folder.

    Attributes:
        state: ``waiting``, ``running``, ``finished``, ``interrupted`` (stopped, can go on), ``timeout``
            (the same, by the sweep's own clock), ``pruned``, ``failed``, ``killed``, ``refused`` (its
            options do not fit) or ``broken`` (its record cannot be read).
        code: exit code of its last attempt; None while there is none.
        attempts: how often it was begun.
        examples_seen: progress.
        max_examples: its budget, where it has one in examples.
        seconds: of training so far.
        metrics: the run's last metrics.
        protocols: theirs in short, by name (see ganvas.run.folder.short_protocol).
        optimized: ``{"metric", "mode", "value", "examples"}``: the best of what the sweep ranks by, or None.
        error: the last line of what went wrong.
    """

    state: str = "waiting"
    code: int | None = None
    attempts: int = 0
    examples_seen: int = 0
    max_examples: int | None = None
    seconds: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    protocols: dict[str, str] = field(default_factory=dict)
    optimized: dict[str, Any] | None = None
    error: str | None = None


class Source(Protocol):
    """Gives jobs out and learns how they ended; called by the pool's one thread."""

    def next(self) -> Job | None:
        """The next job to run, or None: none now (see :meth:`is_done`)."""

    def is_done(self) -> bool:
        """Whether no job will come any more, whatever those that run may yet bring."""

    def ended(self, job: Job, result: Result) -> None:
        """A job is over: it will not be run again by this pool."""

    def should_stop(self, job: Job) -> bool:
        """Asked every few seconds of each running job: whether it is to be stopped early (pruned)."""


class Engine(Protocol):
    """Runs jobs on this machine's devices or on a cluster; jobs are told apart by their index.

    Attributes:
        outlives: whether jobs go on where this process ends, and a later one finds them.
    """

    outlives: bool

    def slots(self) -> int:
        """How many more jobs may be handed in now."""

    def fits(self, job: Job) -> bool:
        """Whether there is room for this job now, where jobs ask for different numbers of devices."""

    def start(self, jobs: Sequence[Job]) -> None:
        """Hands jobs in; returns at once."""

    def ended(self) -> list[tuple[int, int]]:
        """(index, exit code) of the jobs that ended since the last call; a negative code is a signal's."""

    def stop(self, indices: Sequence[int]) -> None:
        """Asks jobs to save their state and to end (SIGTERM to them); returns at once."""

    def kill(self, indices: Sequence[int]) -> None:
        """Ends jobs by force: they were asked, and did not."""

    def close(self) -> None:
        """Ends whatever still runs, by force, and frees what the engine holds."""
