"""What is asked of Ray for the jobs of a sweep."""

from __future__ import annotations

from dataclasses import dataclass

from ganvas.errors import require


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
