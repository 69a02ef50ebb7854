"""Which rank this process is, read off what its launcher left in the environment: torchrun, srun or ours."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ganvas.errors import OptionError, require
from ganvas.files.text import one_line

MARK = "GANVAS_RANK"  # set by run/distributed/launch.py for the ranks that it starts
_LONGEST = 253  # letters of a machine's name
_PORTS = 15000, 20000  # first one, and how many, of those that a job step of SLURM takes its own from
_STARTS = {
    "torchrun": "torchrun --nnodes={nodes} --nproc_per_node={devices}",
    "slurm": "srun --nodes={nodes} --ntasks-per-node={devices}",
}


@dataclass(frozen=True)
class RankInfo:
    """One process among those that train a run together.

    Attributes:
        launcher: what started it: ``torchrun``, ``slurm``, ``ganvas`` (run/distributed/launch.py), or None:
            nothing that starts ranks.
        rank: from 0, over all machines; the first one writes the run's folder.
        world: how many ranks there are.
        local_rank: from 0, on this machine.
        local_world: how many there are on this machine, and on each.
        node: this machine's number, from 0.
        nodes: how many machines there are.
        address: of the machine of the first rank.
        port: where that one answers.
        restart: how often torchrun has begun all ranks anew.
    """

    launcher: str | None = None
    rank: int = 0
    world: int = 1
    local_rank: int = 0
    local_world: int = 1
    node: int = 0
    nodes: int = 1
    address: str = "127.0.0.1"
    port: int = 0
    restart: int = 0

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def check(self, accelerator: Mapping[str, Any]) -> None:
        """Raises OptionError where the launcher has started other ranks than the options ask for.

        Args:
            accelerator: the section of the config; ``devices=auto`` takes what the launcher has started.
        """
        if self.launcher in (None, "ganvas"):
            return
        require(
            self.port > 0,
            "MASTER_PORT",
            self.port,
            f"{self.launcher} names no port where the ranks meet; "
            "torchrun --standalone picks one (one machine), --master_port=29500 sets it",
        )
        devices, nodes = accelerator.get("devices"), accelerator.get("num_nodes")
        count = _count(devices)
        start = _STARTS[str(self.launcher)]
        if self.world > 1 and count == 1 and nodes == 1:
            raise OptionError(
                "accelerator.devices",
                devices,
                f"{self.launcher} has started {self.world} processes, and "
                "each would train the same run alone; add accelerator=ddp (GPUs) or accelerator=ddp_cpu",
            )
        mend = start.format(nodes=nodes, devices=count if count is not None else self.local_world)
        require(
            nodes == self.nodes,
            "accelerator.num_nodes",
            nodes,
            f"{self.launcher} has started processes on {self.nodes} machines; set accelerator.num_nodes="
            f"{self.nodes}, or start by {mend}",
        )
        require(
            count in (None, self.local_world),
            "accelerator.devices",
            devices,
            f"{self.launcher} has started {self.local_world} processes on each machine; set "
            f"accelerator.devices={self.local_world} (or auto), or start by {mend}",
        )


def _count(devices: Any) -> int | None:
    """How many; None where it is auto, or is refused later by its own name."""
    if isinstance(devices, list):
        return len(devices)
    if isinstance(devices, str):
        return int(devices) if devices.isdigit() else None
    return devices if isinstance(devices, int) else None


def find_rank(environment: Mapping[str, str] = os.environ) -> RankInfo:
    """This process's place.

    Raises:
        OptionError: a launcher's variable is no number, or beyond what it counts.
    """
    if all(name in environment for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")):
        return _of_torchrun(environment)
    tasks = _number(environment, "SLURM_STEP_NUM_TASKS", default=1, at_least=1)
    if tasks > 1 and "SLURM_PROCID" in environment:
        return _of_slurm(environment)
    return RankInfo()


def _of_torchrun(environment: Mapping[str, str]) -> RankInfo:
    """Torchrun's variables, which run/distributed/launch.py sets in the same way."""
    world = _number(environment, "WORLD_SIZE", at_least=1)
    rank = _number(environment, "RANK", below=world)
    local_world = _number(environment, "LOCAL_WORLD_SIZE", default=1, at_least=1, below=world + 1)
    return RankInfo(
        launcher="ganvas" if MARK in environment else "torchrun",
        rank=rank,
        world=world,
        local_rank=_number(
            environment, "LOCAL_RANK", below=local_world if "LOCAL_WORLD_SIZE" in environment else world
        ),
        local_world=local_world,
        node=_number(environment, "GROUP_RANK", default=rank // local_world),
        nodes=max(1, world // local_world),
        address=_address(environment, "127.0.0.1"),
        port=_number(environment, "MASTER_PORT", default=0, below=2**16),
        restart=_number(environment, "TORCHELASTIC_RESTART_COUNT", default=0),
    )


def _of_slurm(environment: Mapping[str, str]) -> RankInfo:
    """A task of a job step; each of its machines runs as many."""
    world = _number(environment, "SLURM_STEP_NUM_TASKS", at_least=1)
    rank = _number(environment, "SLURM_PROCID", below=world)
    nodes = _number(environment, "SLURM_STEP_NUM_NODES", default=1, at_least=1, below=world + 1)
    require(
        world % nodes == 0,
        "SLURM_STEP_NUM_TASKS",
        world,
        f"the {nodes} machines run different numbers of tasks; srun --ntasks-per-node makes them equal",
    )
    listed = environment.get("SLURM_STEP_NODELIST") or environment.get("SLURM_NODELIST") or "127.0.0.1"
    step = _number(environment, "SLURM_JOB_ID", default=0) * 31 + _number(
        environment, "SLURM_STEP_ID", default=0
    )
    return RankInfo(
        launcher="slurm",
        rank=rank,
        world=world,
        local_rank=_number(environment, "SLURM_LOCALID", below=world),
        local_world=world // nodes,
        node=_number(environment, "SLURM_NODEID", default=0, below=nodes),
        nodes=nodes,
        address=_address(environment, "127.0.0.1" if nodes == 1 else first_host(listed)),
        port=_number(environment, "MASTER_PORT", default=_PORTS[0] + step % _PORTS[1], below=2**16),
    )


def first_host(listed: str) -> str:
    """The first of SLURM's hosts: ``gpu[003-005,9],cpu1`` begins with ``gpu003``."""
    name, bracket, inside = listed.partition("[")
    if not bracket or "," in name:
        return listed.partition(",")[0]
    numbers, _, tail = inside.partition("]")
    return name + numbers.partition(",")[0].partition("-")[0] + tail.partition(",")[0]


def _number(
    environment: Mapping[str, str],
    name: str,
    *,
    default: int | None = None,
    at_least: int = 0,
    below: int = 2**32,
) -> int:
    """A variable's whole number; one that is unset, or empty, is the default where there is one."""
    text = environment.get(name) or None
    if text is None and default is not None:
        return default
    number = int(text) if text is not None and re.fullmatch(r"[0-9]{1,10}", text) else -1
    shown = one_line(str(text), 40)
    reason = "is no number that a launcher of ranks sets; unset the environment variable"
    if number >= 0:
        reason = (
            f"is beyond {at_least} to {below - 1}, which a launcher of ranks sets here; unset the variable"
        )
    require(at_least <= number < below, name, shown, reason)
    return number


def _address(environment: Mapping[str, str], default: str) -> str:
    """The machine of the first rank: a name or a number of the network's, and no text beside it."""
    text = environment.get("MASTER_ADDR") or default
    fits = len(text) <= _LONGEST and re.fullmatch(r"[\w.:%-]+", text, re.ASCII) is not None
    reason = "is no machine's name or address; set the environment variable to the first rank's"
    require(fits, "MASTER_ADDR", one_line(text, 40), reason)
    return text
