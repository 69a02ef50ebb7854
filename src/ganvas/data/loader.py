"""The loader of data that lies in memory: its order is a pure function of (seed, epoch).

So a resumed run needs no stored state: it starts at a given batch of a given epoch. torch's DataLoader
fetches sample by sample and collates; here a batch is one gather.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ganvas.data.stored import Stored
from ganvas.errors import require
from ganvas.functional.batch import StoredBatch
from ganvas.functional.distributed import rank, world_size
from ganvas.functional.random import hash64

Position = Callable[[], tuple[int, int]]


def permutation(count: int, *, seed: int, epoch: int) -> Tensor:
    """The order of an epoch: a permutation of range(count), int64 [count]."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(hash64("perm", seed, epoch)))


def from_the_start() -> tuple[int, int]:
    return 0, 0


class TensorLoader:
    """Batches of one split, for this rank.

    Global batch i is rows [i * B, (i + 1) * B) of the epoch's order; each rank takes one contiguous slice of
    it, so that the ranks together see what one process would see.

    Args:
        stored: the split.
        batch_size: global batch, samples of all ranks together.
        seed: of the order.
        training: shuffles, and drops an incomplete last batch; otherwise rows come in order, each once over
            all ranks, where a rank's share of the last batch may be smaller, even empty.
        num_workers: processes that gather ahead; 0 gathers in this process, which is fastest for data in
            memory. Batches and order are the same.
        position: ``() -> (epoch, first_batch)``, asked when the first batch is taken, not when the iterator
            is made: Lightning makes it before it has restored its counters.

    Raises:
        OptionError: on iteration, where training's batch_size cannot be shared evenly by the ranks.
    """

    def __init__(
        self,
        stored: Stored,
        *,
        batch_size: int,
        seed: int,
        training: bool,
        num_workers: int = 0,
        position: Position = from_the_start,
    ) -> None:
        self.stored, self.batch_size, self.seed, self.training = stored, batch_size, seed, training
        self.position = position
        self.pin_memory = torch.cuda.is_available()
        self._workers = self._make_workers(num_workers) if num_workers else None

    def __len__(self) -> int:
        """Number of global batches in an epoch, wherever it is started."""
        whole, rest = divmod(len(self.stored), self.batch_size)
        return whole + (rest > 0 and not self.training)

    def __iter__(self) -> Iterator[StoredBatch]:
        if self._workers is not None:
            yield from self._workers
            return
        for rows in self.rows():
            batch = gather(self.stored, rows)
            yield _pin(batch) if self.pin_memory else batch

    def rows(self) -> Iterator[Tensor]:
        """This rank's row numbers, int64 [B / world_size], batch by batch from the position on."""
        ranks, me = world_size(), rank()
        require(
            not self.training or self.batch_size % ranks == 0,
            "batch_size",
            self.batch_size,
            f"is shared by {ranks} processes; take a multiple of {ranks}",
        )
        epoch, first = self.position()
        count = len(self.stored)
        order = permutation(count, seed=self.seed, epoch=epoch) if self.training else torch.arange(count)
        for number in range(first, len(self)):
            rows = order[number * self.batch_size : (number + 1) * self.batch_size]
            yield rows.tensor_split(ranks)[me]

    def state_dict(self) -> dict[str, int]:
        """Empty: the order is a function of the trainer's counters. Tells Lightning that resuming is safe."""
        return {}

    def load_state_dict(self, state: dict[str, int]) -> None:
        pass

    def _make_workers(self, num_workers: int) -> DataLoader[StoredBatch]:
        return DataLoader(
            _Rows(self.stored),  # type: ignore[arg-type]
            batch_sampler=_Order(self),  # type: ignore[arg-type]
            num_workers=num_workers,
            collate_fn=_identity,  # type: ignore[arg-type]
            pin_memory=self.pin_memory,
            persistent_workers=True,
            generator=torch.Generator(),  # else each epoch draws from the global one
        )


def gather(stored: Stored, rows: Tensor) -> StoredBatch:
    """Rows int64 [B] of a split; index_select, at a sixth of the time of ``x[rows]``."""
    label = None if stored.label is None else stored.label.index_select(0, rows)
    return StoredBatch(x=stored.x.index_select(0, rows), label=label, index=rows)


def _pin(batch: StoredBatch) -> StoredBatch:
    label = None if batch.label is None else batch.label.pin_memory()
    return StoredBatch(x=batch.x.pin_memory(), label=label, index=batch.index.pin_memory())


def _identity(batch: StoredBatch) -> StoredBatch:
    return batch


class _Order:
    """The loader's rows as a batch sampler; numpy arrays, which cross a process queue without a file."""

    def __init__(self, loader: TensorLoader) -> None:
        self.loader = loader

    def __iter__(self) -> Iterator[Any]:
        for rows in self.loader.rows():
            yield rows.numpy()

    def __len__(self) -> int:
        return len(self.loader)


class _Rows(Dataset[StoredBatch]):
    """A split that torch's DataLoader asks for a whole batch at a time."""

    def __init__(self, stored: Stored) -> None:
        self.stored = stored

    def __getitems__(self, rows: Any) -> StoredBatch:
        return gather(self.stored, torch.from_numpy(rows))
