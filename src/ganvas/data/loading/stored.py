"""A split as it lies in memory, and how one split is held out of another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ganvas.errors import require
from ganvas.functional.random import hash64


@dataclass(frozen=True)
class Stored:
    """One split.

    Attributes:
        x: images uint8 [N, C, h, w], or points float32 [N, 2] in [-1, 1].
        label: classes, int64 [N], or None.
    """

    x: Tensor
    label: Tensor | None

    def __len__(self) -> int:
        return len(self.x)

    def rows(self, rows: Tensor) -> Stored:
        """The samples with these numbers, int64 [M], copied."""
        label = None if self.label is None else self.label.index_select(0, rows)
        return Stored(x=self.x.index_select(0, rows), label=label)


def in_order(
    stored: Stored, batch_size: int, limit: int | None = None
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Samples and labels of a split in its fixed order, as they are stored; the last batch may be short.

    Args:
        batch_size: samples a batch.
        limit: samples in all, None for the whole split.
    """
    require(batch_size >= 1, "batch_size", batch_size, "must be at least 1")
    count = len(stored) if limit is None else min(limit, len(stored))
    for start in range(0, count, batch_size):
        rows = slice(start, min(start + batch_size, count))
        yield stored.x[rows], None if stored.label is None else stored.label[rows]


def hold_out(count: int, sizes: list[int], purpose: str) -> list[Tensor]:
    """Parts range(count) at random, the same way on every machine and for every seed of a run.

    Args:
        count: number of samples.
        sizes: sizes of the held-out parts, together at most ``count``.
        purpose: names the data set, so that two sets of one size are parted differently.

    Returns:
        the remainder, then each held-out part: sorted int64 row numbers.
    """
    assert sum(sizes) <= count, (count, sizes)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(hash64("hold-out", purpose)))
    parts = order.split([count - sum(sizes), *sizes])
    return [part.sort().values for part in parts]


def hold_out_of_classes(label: Tensor, sizes: list[int], purpose: str) -> list[Tensor]:
    """The same, of each class its share: the largest remainders get what does not divide.

    A class keeps a sample in the remainder as long as the others have enough to spare.

    Args:
        label: classes int64 [N], any numbers.

    Returns:
        the remainder, then each held-out part: sorted int64 row numbers.
    """
    assert sum(sizes) <= len(label), (len(label), sizes)
    _, label = label.unique(return_inverse=True)  # a table of classes holds those alone that are there
    order = torch.randperm(len(label), generator=torch.Generator().manual_seed(hash64("hold-out", purpose)))
    order = order[label[order].argsort(stable=True)]  # class by class, at random inside of each
    counts = torch.bincount(label)
    first = (counts.cumsum(0) - counts).repeat_interleave(counts)
    place = torch.arange(len(label)) - first  # of each of order among those of its class
    taken, parts = torch.zeros_like(counts), []
    for size in sizes:
        share = _shares(counts, size, taken)
        begin, end = taken.repeat_interleave(counts), (taken + share).repeat_interleave(counts)
        parts.append(order[(place >= begin) & (place < end)].sort().values)
        taken = taken + share
    left = order[place >= taken.repeat_interleave(counts)].sort().values
    return [left, *parts]


def _shares(counts: Tensor, size: int, taken: Tensor) -> Tensor:
    """How many samples of each class make ``size``, int64 [K], of ``counts`` without those ``taken``."""
    total = int(counts.sum())
    share = counts * size // total
    by_remainder = (counts * size % total).argsort(descending=True, stable=True)
    share[by_remainder[: size - int(share.sum())]] += 1
    for room in ((counts - taken - 1).clamp(min=0), counts - taken):  # the last of a class only at need
        share = torch.minimum(share, room)
        while (missing := size - int(share.sum())) > 0 and bool((share < room).any()):
            most = (room - share).argsort(descending=True, stable=True)
            open_to = most[(room - share)[most] > 0]
            share[open_to[:missing]] += 1
    return share
