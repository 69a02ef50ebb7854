"""What is asked of SLURM for the jobs of a sweep."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ganvas.errors import require

_WORD = re.compile(r"[\w.,@%+-]+", re.ASCII)
_OPTION = re.compile(r"[a-z][a-z_-]*")


@dataclass(frozen=True, kw_only=True)
class SlurmOptions:
    """What is asked of SLURM for each job; None leaves it to the cluster.

    Attributes:
        partition, account, qos: as ``sbatch`` names them.
        timeout_min: time limit of a job between two places in the queue, in minutes; at least 5.
        signal_delay_s: how long before its end a job is told to save and go back into the queue.
        max_num_timeout: how often a job goes back because its time was up; preemptions do not count.
        nodes, tasks_per_node: processes of one job: ``accelerator.num_nodes`` and ``accelerator.devices``.
        cpus_per_task: cores of a process.
        gpus_per_node: devices of a job on each of its nodes.
        mem_gb: memory of a job on each of its nodes.
        array_parallelism: jobs that may run at a time.
        setup: shell lines before the job, e.g. ``module load cuda``.
        additional_parameters: further options of ``sbatch``, e.g. ``{constraint: a100}``.
        python: the Python of the nodes, as a shell command; None: the one that runs here.
        poll_s: seconds between two questions to SLURM.
    """

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    timeout_min: int = 60
    signal_delay_s: int = 90
    max_num_timeout: int = 20
    nodes: int = 1
    tasks_per_node: int = 1
    cpus_per_task: int | None = None
    gpus_per_node: int | None = None
    mem_gb: float | None = None
    array_parallelism: int = 256
    setup: list[str] = field(default_factory=list)
    additional_parameters: dict[str, str | int | float | bool] = field(default_factory=dict)
    python: str | None = None
    poll_s: float = 5.0

    def __post_init__(self) -> None:
        require(self.timeout_min >= 5, "timeout_min", self.timeout_min, "must be at least 5 minutes")
        for name in ("nodes", "tasks_per_node", "cpus_per_task", "gpus_per_node", "array_parallelism"):
            value = getattr(self, name)
            least = 0 if name == "gpus_per_node" else 1
            require(value is None or value >= least, name, value, f"must be at least {least}")
        fits = 1 <= self.signal_delay_s <= self.timeout_min * 30
        reason = f"must be from 1 to {self.timeout_min * 30} seconds, half of timeout_min"
        require(fits, "signal_delay_s", self.signal_delay_s, reason)
        require(self.max_num_timeout >= 0, "max_num_timeout", self.max_num_timeout, "must be 0 or more")
        require(self.mem_gb is None or self.mem_gb > 0, "mem_gb", self.mem_gb, "must be more than 0")
        require(self.poll_s > 0, "poll_s", self.poll_s, "must be more than 0 seconds")
        # They become lines of a shell script.
        for name in ("partition", "account", "qos"):
            value = getattr(self, name)
            fits = value is None or _WORD.fullmatch(value) is not None
            require(fits, name, value, "must be a name that sbatch knows, or several with commas")
        for key, given in self.additional_parameters.items():
            fits = _OPTION.fullmatch(key) is not None and "\n" not in str(given)
            reason = "must be an option of sbatch without its dashes, and its value of one line"
            require(fits, f"additional_parameters.{key}", given, reason)

    def parameters(self) -> dict[str, Any]:
        """As submitit.SlurmExecutor.update_parameters takes them."""
        srun = []
        if self.cpus_per_task is not None:
            srun.append(
                f"--cpus-per-task={self.cpus_per_task}"
            )  # since SLURM 22.05 srun does not ask sbatch's
        if self.nodes * self.tasks_per_node > 1:
            srun.append("--kill-on-bad-exit=1")  # the other ranks would wait for a dead one
        asked = {
            "partition": self.partition,
            "account": self.account,
            "qos": self.qos,
            "time": self.timeout_min,
            "signal_delay_s": self.signal_delay_s,
            "nodes": self.nodes,
            "ntasks_per_node": self.tasks_per_node,
            "cpus_per_task": self.cpus_per_task,
            "gpus_per_node": self.gpus_per_node or None,
            "mem": self.mem_gb and f"{round(self.mem_gb * 1024)}M",
            "array_parallelism": self.array_parallelism,
            "setup": self.setup or None,
            "srun_args": srun or None,
            # Said, not left to the cluster: a job that lost its node begins again from its newest checkpoint.
            "additional_parameters": {"requeue": True, **self.additional_parameters},
            "stderr_to_stdout": True,
        }
        return {key: value for key, value in asked.items() if value is not None}
