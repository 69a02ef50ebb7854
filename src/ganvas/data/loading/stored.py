"""A split as it lies in memory, and how one split is held out of another."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

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
