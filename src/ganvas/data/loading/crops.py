"""The loader of crops that each epoch draws anew: where a crop begins is a function of (seed, epoch, row)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ganvas.data.loading.loader import Order, Rows, TensorLoader
from ganvas.data.loading.stored import Stored
from ganvas.functional.batch import StoredBatch


class Cropped(Protocol):
    """What crops are cut out of; a row is one of a split's samples."""

    def drawn_starts(self, rows: Tensor, *, seed: int, epoch: int) -> Tensor:
        """Where the crops of rows int64 [B] begin in what they are of, int64 [B]."""
        ...

    def cut(self, rows: Tensor, starts: Tensor) -> Tensor:
        """The crops [B, ...] of these rows from there on, as they are stored."""
        ...


class _CropOrder(Order):
    """Rows of a batch and where their crops begin, [2, B / world_size].

    Drawn here, where the epoch is known, so that worker processes need not know it.
    """

    source: Cropped

    def __iter__(self) -> Iterator[Rows]:
        epoch, _ = self.position()
        for rows in super().__iter__():
            starts = self.source.drawn_starts(torch.from_numpy(rows), seed=self.seed, epoch=epoch)
            yield np.stack([rows, starts.numpy()])


class CropLoader(TensorLoader):
    """Training batches of random crops, for this rank.

    Args:
        stored: the split.
        source: what its crops are cut out of.

    The others: see :class:`ganvas.data.loading.loader.TensorLoader`.
    """

    def __init__(self, stored: Stored, *, source: Cropped, **options: Any) -> None:
        super().__init__(stored, **options)
        own = self.order
        self.gather = partial(_cut, stored, source)
        self.order = _CropOrder(
            count=own.count,
            batch_size=own.batch_size,
            seed=own.seed,
            training=own.training,
            position=own.position,
        )
        self.order.source = source


def _cut(stored: Stored, source: Cropped, places: Rows) -> StoredBatch:
    rows, starts = torch.from_numpy(places)
    label = None if stored.label is None else stored.label.index_select(0, rows)
    return StoredBatch(x=source.cut(rows, starts), label=label, row=rows)
