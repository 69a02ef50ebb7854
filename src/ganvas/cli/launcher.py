"""Hydra launchers: each job of a sweep is a fresh process of its own.

In one process the jobs of ``-m`` share torch's state, a crash takes the sweep along, and under DDP every
rank runs the whole sweep again. A fresh ``ganvas job`` per job, told its folder, has none of this.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher

from ganvas.errors import OptionError, require
from ganvas.sweep.command import JobCommand
from ganvas.sweep.devices import cpu_cores, gpu_pool, parallel_jobs
from ganvas.sweep.engine.local import Local
from ganvas.sweep.interface import Engine, Job
from ganvas.sweep.pool import PoolOptions

_SECONDS = re.compile(r"(?:(\d+):)?(\d+):([0-5]?\d):([0-5]?\d)")


class JobLauncher(Launcher):
    """What all launchers of ganvas share; a subclass makes the engine.

    Args:
        timeout: limit of one attempt at a job, [DD:]HH:MM:SS; None: no limit.
        retries: how often a job that failed is begun again.
        on_error: ``continue`` or ``stop``.
    """

    def __init__(self, *, timeout: str | None = None, retries: int = 0, on_error: str = "continue") -> None:
        self.pool_options = PoolOptions(timeout=seconds(timeout), retries=retries, on_error=on_error)

    def engine(self, command: JobCommand, jobs: Sequence[Job]) -> Engine:
        """What runs the jobs.

        Raises:
            OptionError: the options ask for what this machine does not have.
        """
        raise NotImplementedError

    def setup(self, *, hydra_context: Any, task_function: Any, config: Any) -> None:
        self.config, self.hydra_context = config, hydra_context

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """For Hydra sweepers of others: a batch of jobs, run to their end; each returns its objective."""
        from ganvas.cli.sweep_foreign import run_batch

        answer = []
        for overrides, folder, value in run_batch(self, job_overrides, Path(self.config.hydra.sweep.dir)):
            result = JobReturn(overrides=overrides, working_dir=folder, task_name=self.config.hydra.job.name)
            result.status = JobStatus.COMPLETED
            result.return_value = value
            answer.append(result)
        return answer


class IsolatedLauncher(JobLauncher):
    """Processes of this machine.

    Args:
        n_jobs: jobs at a time; None: one, or as many as the pool has GPUs for.
        gpu_pool: GPUs to share out: None (every job sees all), ``auto``, or their numbers.
        gpus_per_job: GPUs of one job; None: what its accelerator.devices asks for.
        timeout, retries, on_error: see JobLauncher.
    """

    def __init__(
        self, *, n_jobs: int | None = None, gpu_pool: Any = None, gpus_per_job: int | None = None,
        timeout: str | None = None, retries: int = 0, on_error: str = "continue",
    ) -> None:  # fmt: skip
        super().__init__(timeout=timeout, retries=retries, on_error=on_error)
        self.n_jobs, self.gpu_pool, self.gpus_per_job = n_jobs, gpu_pool, gpus_per_job

    def engine(self, command: JobCommand, jobs: Sequence[Job]) -> Engine:
        for name in ("n_jobs", "gpus_per_job"):
            value = getattr(self, name)
            fits = value is None or (isinstance(value, int) and not isinstance(value, bool))
            require(fits, name, value, "must be a whole number, or null")
        asked = self.gpu_pool
        gpus = gpu_pool(asked if asked is None or isinstance(asked, int | str) else list(asked))
        at_a_time = parallel_jobs(jobs, n_jobs=self.n_jobs, gpus=gpus, gpus_per_job=self.gpus_per_job)
        processes = at_a_time * max((job.devices for job in jobs), default=1)
        # Side by side, each with a thread for every core, they would wait for each other.
        threads = max(1, cpu_cores() // processes) if at_a_time > 1 else None
        return Local(command, n_jobs=at_a_time, gpus=gpus, gpus_per_job=self.gpus_per_job, threads=threads)


def seconds(text: Any) -> float | None:
    """``00:30:00`` or ``01:00:00:00`` in seconds.

    Raises:
        OptionError: ``timeout``: it is something else.
    """
    if text is None:
        return None
    found = _SECONDS.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise OptionError("timeout", text, "must be HH:MM:SS or DD:HH:MM:SS, e.g. 00:30:00")
    days, hours, minutes, rest = (int(part or 0) for part in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + rest)


def plain_options(kind: type, asked: dict[str, Any]) -> dict[str, Any]:
    """An engine's options out of a composed section, each held against its type in the dataclass ``kind``.

    Raises:
        OptionError: one of another type, named as in the launcher's YAML.
    """
    from omegaconf import OmegaConf

    from ganvas.run.config.build import bind

    plain = OmegaConf.to_container(OmegaConf.create(asked), resolve=True)
    assert isinstance(plain, dict)
    try:
        return bind(kind, {str(key): value for key, value in plain.items()}, "launcher")
    except OptionError as error:
        raise OptionError(error.option.removeprefix("launcher."), error.value, error.reason) from error


def make_launcher(section: Any, overrides: Sequence[str]) -> JobLauncher:
    """The launcher of a composed ``hydra.launcher``.

    Raises:
        OptionError: it is none of ganvas's, or an option does not fit.
    """
    from hydra.core.plugins import Plugins

    target = str(section.get("_target_"))
    word = next((word for word in overrides if word.startswith("hydra/launcher=")), "hydra/launcher=")
    reason = "runs jobs inside of the sweep's process or without its records; there are: isolated, slurm, ray"
    require(target.startswith("hydra_plugins.ganvas_"), "hydra/launcher", word.partition("=")[2], reason)
    try:
        launcher = Plugins.instance()._instantiate(section)
    except OptionError as error:
        raise error.under("hydra.launcher") from error
    except Exception as error:
        cause = error.__cause__ if isinstance(error.__cause__, OptionError) else error
        if isinstance(cause, OptionError):
            raise cause.under("hydra.launcher") from error
        raise
    assert isinstance(launcher, JobLauncher)
    return launcher
