"""Which devices of this machine the parallel jobs of a sweep may have."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ganvas.errors import require
from ganvas.sweep.interface import Job


def visible_gpus() -> list[str]:
    """The names of the GPUs that this process may use: CUDA_VISIBLE_DEVICES, or all there are."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip()]
    import torch  # takes seconds: only who shares GPUs out pays for it

    return [str(number) for number in range(torch.cuda.device_count())]


def gpu_pool(asked: Sequence[int | str] | int | str | None) -> list[str] | None:
    """The GPUs to share out: None (every job sees all), ``auto`` (those there are), or some of them.

    Raises:
        OptionError: ``gpu_pool`` names GPUs that this machine does not have, one of them twice, or none.
    """
    if asked is None:
        return None
    there = visible_gpus()
    require(bool(there), "gpu_pool", asked, "this machine has no GPU; leave it null")
    if asked == "auto":
        return there
    listed = [asked] if isinstance(asked, int | str) else list(asked)
    names = [part.strip() for name in listed for part in str(name).split(",") if part.strip()]
    absent = [name for name in names if name not in there]
    reason = f"there is no GPU {', '.join(absent)}; there are: {', '.join(there)}"
    require(
        bool(names) and not absent,
        "gpu_pool",
        asked,
        reason if absent else "names none; null shares none out",
    )
    require(len(set(names)) == len(names), "gpu_pool", asked, "names a GPU twice")
    return names


def parallel_jobs(
    jobs: Sequence[Job], *, n_jobs: int | None, gpus: Sequence[str] | None, gpus_per_job: int | None
) -> int:
    """How many jobs run at a time.

    Args:
        jobs: all of the sweep that are known.
        n_jobs: as asked for; None: one, or as many as there are GPUs for.
        gpus: the pool.
        gpus_per_job: None: what each job asks for.

    Raises:
        OptionError: they would need more devices than there are.
    """
    require(n_jobs is None or n_jobs >= 1, "n_jobs", n_jobs, "must be at least 1")
    require(gpus_per_job is None or gpus_per_job >= 1, "gpus_per_job", gpus_per_job, "must be at least 1")
    require(
        gpus is not None or gpus_per_job is None,
        "gpus_per_job",
        gpus_per_job,
        "shares out a pool, and there is none; give hydra.launcher.gpu_pool=auto",
    )
    wants = [gpus_per_job or job.devices for job in jobs] or [gpus_per_job or 1]
    most = max(wants)
    if gpus is not None:
        given, option = ("null", "gpus_per_job") if gpus_per_job is None else (gpus_per_job, "gpus_per_job")
        require(
            most <= len(gpus),
            option,
            given,
            f"a job asks for {most} GPUs and the pool has {len(gpus)}; ask for fewer",
        )
        room = len(gpus) // min(wants)
        require(
            n_jobs is None or n_jobs <= room,
            "n_jobs",
            n_jobs,
            f"the pool of {len(gpus)} GPUs has room for {room}; ask for at most so many",
        )
        return n_jobs or room
    cores = cpu_cores()
    room = max(1, cores // most)
    reason = f"this machine has {cores} cores and a job asks for {most}: room for {room} at a time"
    require(n_jobs is None or n_jobs <= room, "n_jobs", n_jobs, f"{reason}; ask for at most so many")
    return n_jobs or 1


def cpu_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
