"""The loader of sharded data: near-sequential reads, and still an order that is a function of (seed, epoch).

Shards are put in a random order and their samples strung together; samples are mixed inside windows of the
string; and the string is cut into as many stretches as a batch has places. Batch m takes sample m of every
stretch. So a batch holds samples from all over the data, each rank, whose places lie together, reads one part
of the shards alone, and any batch of any epoch is found without the batches before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from ganvas.data.loading.loader import (
    Order,
    Position,
    Rows,
    TensorLoader,
    from_the_start,
    gather,
    permutation,
)
from ganvas.data.loading.stored import Stored
from ganvas.data.shard.index import Integers
from ganvas.errors import OptionError
from ganvas.functional.batch import StoredBatch
from ganvas.functional.distributed import rank, world_size
from ganvas.functional.random import hash64


class Mixed:
    """One epoch's string of samples: place -> row.

    Args:
        counts: samples in each shard, int64 [S]; rows are numbered shard by shard.
        seed: of the order.
        epoch: its number.
        window: samples that are mixed with each other; None mixes all.
    """

    def __init__(self, counts: Integers, *, seed: int, epoch: int, window: int | None) -> None:
        self.total = int(counts.sum())
        self.window, self.seed, self.epoch = min(window or self.total, self.total), seed, epoch
        order = permutation(len(counts), seed=seed, epoch=epoch).numpy()
        self._ends = counts[order].cumsum()  # places behind each shard's last
        # what is added to a place for its row
        self._shift = (counts.cumsum() - counts)[order] - (self._ends - counts[order])
        self._windows: dict[int, Integers] = {}

    def rows(self, places: Integers) -> Rows:
        """Row numbers int64 [B] of places int64 [B] in [0, N)."""
        numbers = (places // self.window).tolist()
        if len(self._windows) > 2 * len(places) + 8:  # those that every stretch has left behind
            self._windows = {number: self._windows[number] for number in numbers if number in self._windows}
        inside = (places % self.window).tolist()
        found = [
            number * self.window + self._order_of(number)[place] for number, place in zip(numbers, inside)
        ]
        mixed = np.array(found, np.int64)
        shifted: Integers = mixed + self._shift[np.searchsorted(self._ends, mixed, side="right")]
        return shifted

    def _order_of(self, number: int) -> Integers:
        if number not in self._windows:
            size = min(self.window, self.total - number * self.window)
            generator = torch.Generator().manual_seed(hash64("window", self.seed, self.epoch, number))
            self._windows[number] = torch.randperm(size, generator=generator).numpy()
        return self._windows[number]


class ShardOrder(Order):
    """This rank's rows, batch by batch; in training as the module's docstring says, else in order."""

    def __init__(
        self,
        *,
        counts: Integers,
        window: int | None,
        batch_size: int,
        seed: int,
        training: bool,
        position: Position,
    ) -> None:
        super().__init__(
            count=int(counts.sum()), batch_size=batch_size, seed=seed, training=training, position=position
        )
        self.counts, self.window = counts, window

    def __iter__(self) -> Iterator[Rows]:
        if not self.training:
            yield from super().__iter__()
            return
        self.require_even_shares()
        epoch, first = self.position()
        mixed = Mixed(self.counts, seed=self.seed, epoch=epoch, window=self.window)
        batches = len(self)
        stretches = np.array_split(np.arange(self.batch_size) * batches, world_size())[rank()]
        for number in range(first, batches):
            yield mixed.rows(stretches + number)


class _Broken(NamedTuple):
    """An OptionError on its way from a worker process: as an exception it would lose its parts."""

    option: str
    value: object
    reason: str


class ShardLoader(TensorLoader):
    """Batches of one split of shards, for this rank.

    Args:
        counts: samples in each shard, int64 [S].
        window: samples that are mixed with each other in training; None mixes all.

    The others: see :class:`ganvas.data.loading.loader.TensorLoader`.

    Raises:
        OptionError: on iteration: an image that cannot be read, by shard and key.
    """

    def __init__(
        self,
        stored: Stored,
        *,
        counts: Integers,
        window: int | None,
        batch_size: int,
        seed: int,
        training: bool,
        num_workers: int = 0,
        position: Position = from_the_start,
    ) -> None:
        super().__init__(
            stored,
            batch_size=batch_size,
            seed=seed,
            training=training,
            num_workers=num_workers,
            position=position,
        )
        self.order = ShardOrder(
            counts=counts,
            window=window,
            batch_size=batch_size,
            seed=seed,
            training=training,
            position=position,
        )

    def __iter__(self) -> Iterator[StoredBatch]:
        try:
            for batch in super().__iter__():
                if isinstance(batch, _Broken):
                    raise OptionError(*batch)
                yield batch
        except OptionError as error:
            self.close()
            raise (error if error.option == "batch_size" else error.under("data")) from None

    def samples(self) -> Dataset[StoredBatch]:
        return _Samples(self.stored)


class _Samples(Dataset[StoredBatch]):
    """A split that torch's DataLoader asks for a whole batch at a time; errors go as values."""

    def __init__(self, stored: Stored) -> None:
        self.stored = stored

    def __getitems__(self, rows: Rows) -> StoredBatch | _Broken:
        try:
            return gather(self.stored, rows)
        except OptionError as error:
            return _Broken(error.option, error.value, error.reason)
