"""A source whose jobs are all there from the start."""

from __future__ import annotations

from collections.abc import Sequence

from ganvas.sweep.interface import Job, Result


class Grid:
    """Gives out the jobs that it was made with, in their order."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._left = list(jobs)

    def next(self) -> Job | None:
        return self._left.pop(0) if self._left else None

    def is_done(self) -> bool:
        return not self._left

    def ended(self, job: Job, result: Result) -> None:
        """Nothing follows from it."""

    def should_stop(self, job: Job) -> bool:
        return False
