"""What Lightning is told of ranks that are there already: it starts none, and joins none together."""

from __future__ import annotations

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments import LightningEnvironment

from ganvas.run.distributed.group import Group
from ganvas.run.distributed.rank_info import RankInfo


def open_group(group: Group, trainer: pl.Trainer, backend: str | None) -> None:
    """Makes the process group of the ranks over their own store, which Lightning then finds."""
    device = trainer.strategy.root_device
    if device.type == "cuda":
        torch.cuda.set_device(device)
    group.open(backend or ("nccl" if device.type == "cuda" else "gloo"), device)


class ExternalEnvironment(LightningEnvironment):
    """A rank that is there already: Lightning starts none."""

    def __init__(self, info: RankInfo) -> None:
        super().__init__()
        self.info = info
        self._global_rank, self._world_size = info.rank, info.world

    @property
    def creates_processes_externally(self) -> bool:
        return True

    def local_rank(self) -> int:
        return self.info.local_rank

    def node_rank(self) -> int:
        return self.info.node

    def teardown(self) -> None:
        """Lightning's takes WORLD_SIZE out of the environment, which is the launcher's."""


def environment_of(info: RankInfo | None) -> list[LightningEnvironment]:
    """What tells Lightning its rank: it would take any process in SLURM's allocation for one of several."""
    if info is None:
        return []
    return [ExternalEnvironment(info) if info.launcher is not None else LightningEnvironment()]
