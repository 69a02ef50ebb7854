"""The loader of data that lies in memory: its order is a pure function of (seed, epoch).

So a resumed run needs no stored state: it starts at a given batch of a given epoch. torch's DataLoader
fetches sample by sample and collates; here a batch is one gather.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ganvas.data.loading.stored import Stored
from ganvas.errors import require
from ganvas.functional.batch import StoredBatch
from ganvas.functional.distributed import rank, world_size
from ganvas.functional.random import hash64

Position = Callable[[], tuple[int, int]]
Rows = np.ndarray[Any, np.dtype[np.int64]]
Gather = Callable[[Rows], StoredBatch]  # the samples of a batch of the order


def permutation(count: int, *, seed: int, epoch: int) -> Tensor:
    """The order of an epoch: a permutation of range(count), int64 [count]."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(hash64("perm", seed, epoch)))


def from_the_start() -> tuple[int, int]:
    return 0, 0


def position_of(data: Any) -> tuple[int, int]:
    """(epoch, batches already taken in it) of the trainer that a data module has; without one: the start.

    It goes by the recipe's own clock where it has one.

    Lightning counts an epoch that the budget cut short as a whole one, so that a resumed run would skip the
    rest of it. After a rollback the epoch goes by another number: the same samples come in another order,
    augmented otherwise, so that the run does not meet the same batch again.
    """
    trainer = data.trainer
    if trainer is None:
        return from_the_start()
    batches_seen = getattr(trainer.lightning_module, "batches_seen", None)
    if batches_seen is None:
        return trainer.current_epoch, trainer.fit_loop.epoch_loop.batch_progress.current.ready
    epoch, first = divmod(batches_seen, int(trainer.num_training_batches))
    return epoch + getattr(trainer.lightning_module, "rollbacks", 0) * 2**32, first


class Order:
    """This rank's rows, batch by batch; a batch sampler too.

    It knows nothing of its loader: a cycle would leave worker processes to the garbage collector, which takes
    down their queues first, and each then takes five seconds to end.
    """

    def __init__(self, *, count: int, batch_size: int, seed: int, training: bool, position: Position) -> None:
        self.count, self.batch_size, self.seed, self.training = count, batch_size, seed, training
        self.position = position

    def __len__(self) -> int:
        whole, rest = divmod(self.count, self.batch_size)
        return whole + (rest > 0 and not self.training)

    def __iter__(self) -> Iterator[Rows]:
        """Row numbers [B / world_size] from the position on, as arrays: process queues take them cheaply."""
        ranks, me = world_size(), rank()
        self.require_even_shares()
        epoch, first = self.position()
        order = torch.arange(self.count)
        if self.training:
            order = permutation(self.count, seed=self.seed, epoch=epoch)
        for number in range(first, len(self)):
            rows = order[number * self.batch_size : (number + 1) * self.batch_size]
            yield rows.tensor_split(ranks)[me].numpy()

    def require_even_shares(self) -> None:
        """Raises OptionError where the ranks cannot share a training batch evenly."""
        ranks = world_size()
        require(
            not self.training or self.batch_size % ranks == 0,
            "batch_size",
            self.batch_size,
            f"is shared by {ranks} processes; take a multiple of {ranks}",
        )


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
            memory. Batches and order are the same. They live on between epochs, until :meth:`close`.
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
        self.stored, self.num_workers = stored, num_workers
        self.gather: Gather = partial(gather, stored)
        self.order = Order(
            count=len(stored), batch_size=batch_size, seed=seed, training=training, position=position
        )
        self.pin_memory = torch.cuda.is_available()
        self._workers: DataLoader[StoredBatch] | None = None

    def __len__(self) -> int:
        """Number of global batches in an epoch, wherever it is started."""
        return len(self.order)

    def __iter__(self) -> Iterator[StoredBatch]:
        if self.num_workers:
            if self._workers is None:
                self._workers = self._make_workers()
            with _without_current_folder():
                batches = iter(self._workers)
            yield from batches
            return
        for rows in self.order:
            batch = self.gather(rows)
            yield pinned(batch) if self.pin_memory else batch

    def close(self) -> None:
        """Ends the worker processes; the next iteration starts new ones."""
        self._workers = None

    def state_dict(self) -> dict[str, int]:
        """Empty: the order is a function of the trainer's counters. Tells Lightning that resuming is safe."""
        return {}

    def load_state_dict(self, state: dict[str, int]) -> None:
        pass

    def samples(self) -> Dataset[StoredBatch]:
        """What the worker processes ask."""
        return _Samples(self.gather)

    def _make_workers(self) -> DataLoader[StoredBatch]:
        return DataLoader(
            self.samples(),
            batch_sampler=self.order,  # type: ignore[arg-type]  # yields numbers of a batch
            num_workers=self.num_workers,
            collate_fn=_identity,  # type: ignore[arg-type]  # batches come whole
            pin_memory=self.pin_memory,
            persistent_workers=True,
            generator=torch.Generator(),  # else each epoch draws from the global one
        )


@contextmanager
def _without_current_folder() -> Iterator[None]:
    """Inside, processes that multiprocessing spawns look for no module in the current folder.

    They begin as ``python -c``, which would execute a user's pickle.py there; a fork has our path anyway.
    """
    name = "PYTHONSAFEPATH"
    if os.environ.get(name):
        yield
        return
    os.environ[name] = "1"
    try:
        yield
    finally:
        del os.environ[name]


def gather(stored: Stored, rows: Rows) -> StoredBatch:
    """Rows [B] of a split; index_select, at a sixth of the time of ``x[rows]``."""
    index = torch.from_numpy(rows)
    label = None if stored.label is None else stored.label.index_select(0, index)
    return StoredBatch(x=stored.x.index_select(0, index), label=label, row=index)


def pinned(batch: StoredBatch) -> StoredBatch:
    """The same in memory that a device reads while the host goes on."""
    label = None if batch.label is None else batch.label.pin_memory()
    return StoredBatch(x=batch.x.pin_memory(), label=label, row=batch.row.pin_memory())


def _identity(batch: StoredBatch) -> StoredBatch:
    return batch


class _Samples(Dataset[StoredBatch]):
    """A split that torch's DataLoader asks for a whole batch at a time."""

    def __init__(self, gather: Gather) -> None:
        self.gather = gather

    def __getitems__(self, rows: Rows) -> StoredBatch:
        return self.gather(rows)
