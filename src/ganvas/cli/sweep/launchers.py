"""``hydra/launcher=isolated``, ``slurm``, ``ray``: what runs a sweep's jobs, each in its own process.

In one process the jobs of ``-m`` share torch's state, a crash takes the sweep along, and under DDP every
rank runs the whole sweep again. A fresh ``ganvas job`` per job, told its folder, has none of this. Hydra
composes the section ``hydra.launcher``; that it is made into one of these classes is ganvas's own doing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from omegaconf import OmegaConf

from ganvas.errors import OptionError, require
from ganvas.run.config.build import bind
from ganvas.run.config.coerce import duration, maybe_a_time
from ganvas.sweep.command import JobCommand
from ganvas.sweep.devices import cpu_cores, gpu_pool, parallel_jobs
from ganvas.sweep.engine.local import Local
from ganvas.sweep.engine.ray import Ray, RayOptions
from ganvas.sweep.engine.slurm import Slurm
from ganvas.sweep.engine.slurm_options import SlurmOptions
from ganvas.sweep.interface import Engine, Job
from ganvas.sweep.pool import PoolOptions

_SECTION = "hydra.launcher"


class JobLauncher:
    """What all launchers share; a subclass makes the engine.

    Args:
        timeout: limit of one attempt at a job, [DD:]HH:MM:SS; None: no limit.
        retries: how often a job that failed is begun again.
        on_error: ``continue`` or ``stop``.
    """

    def __init__(self, *, timeout: Any = None, retries: int = 0, on_error: str = "continue") -> None:
        self.pool_options = PoolOptions(timeout=seconds(timeout), retries=retries, on_error=on_error)

    def engine(self, command: JobCommand, jobs: Sequence[Job]) -> Engine:
        """What runs the jobs.

        Raises:
            OptionError: the options ask for what this machine does not have.
        """
        raise NotImplementedError


class IsolatedLauncher(JobLauncher):
    """Processes of this machine.

    Args:
        n_jobs: jobs at a time; None: one, or as many as the pool has GPUs for.
        gpu_pool: GPUs to share out: None (every job sees all), ``auto``, or their numbers.
        gpus_per_job: GPUs of one job; None: what its accelerator.devices asks for.
        timeout, retries, on_error: see JobLauncher.
    """

    def __init__(
        self,
        *,
        n_jobs: int | None = None,
        gpu_pool: Any = None,
        gpus_per_job: int | None = None,
        timeout: Any = None,
        retries: int = 0,
        on_error: str = "continue",
    ) -> None:
        super().__init__(timeout=timeout, retries=retries, on_error=on_error)
        self.n_jobs, self.gpu_pool, self.gpus_per_job = n_jobs, gpu_pool, gpus_per_job

    def engine(self, command: JobCommand, jobs: Sequence[Job]) -> Engine:
        gpus = gpu_pool(self.gpu_pool)
        at_a_time = parallel_jobs(jobs, n_jobs=self.n_jobs, gpus=gpus, gpus_per_job=self.gpus_per_job)
        processes = at_a_time * max((job.devices for job in jobs), default=1)
        # Side by side, each with a thread for every core, they would wait for each other.
        threads = max(1, cpu_cores() // processes) if at_a_time > 1 else None
        return Local(command, n_jobs=at_a_time, gpus=gpus, gpus_per_job=self.gpus_per_job, threads=threads)


class SlurmLauncher(JobLauncher):
    """Jobs go into SLURM's queue, which outlives this process.

    Args:
        n_jobs: jobs handed in at a time; None: all that there are, and ``array_parallelism`` in a search.
        timeout, retries, on_error: see JobLauncher.
        asked: see :class:`ganvas.sweep.engine.slurm_options.SlurmOptions`.
    """

    def __init__(
        self,
        *,
        n_jobs: int | None = None,
        timeout: Any = None,
        retries: int = 0,
        on_error: str = "continue",
        **asked: Any,
    ) -> None:
        super().__init__(timeout=timeout, retries=retries, on_error=on_error)
        require(n_jobs is None or n_jobs > 0, "n_jobs", n_jobs, "must be at least 1")
        self.options = SlurmOptions(**bind(SlurmOptions, asked, _SECTION))
        self.n_jobs = n_jobs

    def engine(self, command: JobCommand, jobs: Sequence[Job]) -> Engine:
        is_search = not jobs
        n_jobs = self.options.array_parallelism if self.n_jobs is None and is_search else self.n_jobs
        return Slurm(command, self.options, n_jobs=n_jobs)


class RayLauncher(JobLauncher):
    """A Ray cluster of this machine for this sweep alone, or one that is there already.

    Args:
        timeout, retries, on_error: see JobLauncher.
        asked: see :class:`ganvas.sweep.engine.ray.RayOptions`.
    """

    def __init__(
        self, *, timeout: Any = None, retries: int = 0, on_error: str = "continue", **asked: Any
    ) -> None:
        super().__init__(timeout=timeout, retries=retries, on_error=on_error)
        self.options = RayOptions(**bind(RayOptions, asked, _SECTION))

    def engine(self, command: JobCommand, jobs: Sequence[Job]) -> Engine:
        return Ray(command, self.options)


def seconds(text: Any) -> float | None:
    """``00:30:00`` or ``01:00:00:00`` in seconds.

    Raises:
        OptionError: ``timeout``: it is something else.
    """
    if text is None:
        return None
    found = duration(text)
    if found is None:
        reason = f"must be HH:MM:SS or DD:HH:MM:SS, e.g. 00:30:00{maybe_a_time(text)}"
        raise OptionError("timeout", text, reason)
    return found.total_seconds()


def make_launcher(section: Any, overrides: Sequence[str]) -> JobLauncher:
    """The launcher of a composed ``hydra.launcher``.

    Raises:
        OptionError: it is none of ganvas's, or an option does not fit.
    """
    options: Any = OmegaConf.to_container(section, resolve=True)
    module, _, name = str(options.pop("_target_", None)).rpartition(".")
    kind = globals().get(name) if module == __name__ else None
    if not (isinstance(kind, type) and issubclass(kind, JobLauncher) and kind is not JobLauncher):
        word = next((word for word in overrides if word.startswith("hydra/launcher=")), "hydra/launcher=")
        reason = "runs jobs inside of the sweep's process or without its records"
        raise OptionError(
            "hydra/launcher", word.partition("=")[2], f"{reason}; there are: isolated, slurm, ray"
        )
    try:
        return kind(**bind(kind, options, _SECTION))
    except OptionError as error:
        raise (error if error.option.startswith(f"{_SECTION}.") else error.under(_SECTION)) from error
