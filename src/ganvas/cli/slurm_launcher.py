"""``hydra/launcher=slurm``: the jobs of a sweep as job arrays of a SLURM cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ganvas.cli.launcher import JobLauncher, plain_options
from ganvas.errors import require
from ganvas.sweep.command import JobCommand
from ganvas.sweep.engine.slurm import Slurm
from ganvas.sweep.engine.slurm_options import SlurmOptions
from ganvas.sweep.interface import Engine, Job


class SlurmLauncher(JobLauncher):
    """Jobs go into SLURM's queue, which outlives this process.

    Args:
        n_jobs: jobs handed in at a time; None: all that there are, and ``array_parallelism`` in a search.
        timeout, retries, on_error: see JobLauncher.
        asked: see :class:`ganvas.sweep.engine.slurm_options.SlurmOptions`.
    """

    def __init__(
        self, *, n_jobs: int | None = None, timeout: str | None = None, retries: int = 0,
        on_error: str = "continue", **asked: Any,
    ) -> None:  # fmt: skip
        super().__init__(timeout=timeout, retries=retries, on_error=on_error)
        require(
            n_jobs is None or (type(n_jobs) is int and n_jobs > 0), "n_jobs", n_jobs, "must be at least 1"
        )
        self.options = SlurmOptions(**plain_options(SlurmOptions, asked))
        self.n_jobs = n_jobs

    def engine(self, command: JobCommand, jobs: Sequence[Job]) -> Engine:
        is_search = not jobs
        n_jobs = self.options.array_parallelism if self.n_jobs is None and is_search else self.n_jobs
        return Slurm(command, self.options, n_jobs=n_jobs)
