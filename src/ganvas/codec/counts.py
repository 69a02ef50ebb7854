"""Sources of weights without a network: equal ones, and counts that adapt to what was coded.

Counts are blended by ever narrower contexts, each a Dirichlet whose mean is the wider one's estimate:
equal shares, the level, the position, and the neighbours above and to the left.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from ganvas.functional.code_layout import CodeLayout

Integers = npt.NDArray[np.int64]

SCALE = 1 << 24  # of an estimate: shares of 2^24
MOST_COUNTS = 1 << 23  # of the table of neighbours; larger codebooks have none

_OF_LEVEL, _OF_PLACE, _OF_NEIGHBOUR = 64, 64, 16  # a context's weight of its mean, in codes seen
_FIRST, _LARGEST = 16, 512  # samples coded under counts of one moment


def blend(counts: Integers, mean: Integers, strength: int) -> Integers:
    """A context's estimate int64 [n, size] in shares of SCALE, given its counts and the wider estimate.

    (counts + strength mean) / (total + strength), rounded down and at least 1.
    """
    total = counts.sum(axis=1, keepdims=True)
    found: Integers = np.maximum((counts * SCALE + strength * mean) // (total + strength), 1)
    return found


def growing_spans(batch: int, first: int = _FIRST, largest: int = _LARGEST) -> Iterable[Integers]:
    """Row numbers of a batch in pieces of growing size: counts adapt between them."""
    start = 0
    while start < batch:
        end = min(batch, start + min(max(first, start), largest))
        yield np.arange(start, end)
        start = end


class UniformSource:
    """Every number as likely as any other: int64 [N] sizes of the elements."""

    def __init__(self, sizes: Integers) -> None:
        self._sizes = sizes

    def spans(self, element: int, batch: int) -> Iterable[Integers]:
        """At most 2^20 weights at a time."""
        step = max(1, (1 << 20) // int(self._sizes[element]))
        return (np.arange(start, min(batch, start + step)) for start in range(0, batch, step))

    def weights(self, element: int, span: Integers, known: Integers) -> Integers:
        """Ones."""
        return np.ones((len(span), int(self._sizes[element])), dtype=np.int64)

    def learn(self, element: int, span: Integers, known: Integers) -> None:
        """There is nothing to learn."""


class CountSource:
    """Counts of codes, for a tokenizer without a prior; they start from nothing in every block."""

    def __init__(self, layout: CodeLayout) -> None:
        self._sizes, self._levels = layout.element_sizes().tolist(), layout.element_levels().tolist()
        self._left, self._above = neighbours(layout)
        level_sizes = [size for own in layout.sizes for size in own]
        self._of_level = [np.zeros(size, dtype=np.int64) for size in level_sizes]
        self._of_place = np.zeros(0, dtype=np.int64)
        self._place = -1
        # Rows: the neighbour's code, and one more where there is none.
        fits = [size * (size + 1) <= MOST_COUNTS for size in level_sizes]
        shapes = [(size + 1, size) if fit else (0, size) for size, fit in zip(level_sizes, fits, strict=True)]
        self._of_left = [np.zeros(shape, dtype=np.int32) for shape in shapes]
        self._of_above = [np.zeros(shape, dtype=np.int32) for shape in shapes]

    def spans(self, element: int, batch: int) -> Iterable[Integers]:
        """Small pieces at first, of at most 2^20 weights."""
        return growing_spans(batch, largest=max(1, min(_LARGEST, (1 << 20) // self._sizes[element])))

    def weights(self, element: int, span: Integers, known: Integers) -> Integers:
        """The mean of two estimates: by the code to the left and by the one above."""
        size, level = self._sizes[element], self._levels[element]
        if element != self._place:
            self._place, self._of_place = element, np.zeros(size, dtype=np.int64)
        equal = np.full((1, size), SCALE // size, dtype=np.int64)
        mean = blend(self._of_level[level][None], equal, _OF_LEVEL)
        mean = blend(self._of_place[None], mean, _OF_PLACE)
        if not len(self._of_left[level]):
            return np.repeat(mean, len(span), axis=0)
        left = self._of_left[level][self._context(self._left, element, span, known)].astype(np.int64)
        above = self._of_above[level][self._context(self._above, element, span, known)].astype(np.int64)
        return blend(left, mean, _OF_NEIGHBOUR) + blend(above, mean, _OF_NEIGHBOUR)

    def learn(self, element: int, span: Integers, known: Integers) -> None:
        """Counts the codes of the span."""
        level, codes = self._levels[element], known[span, element]
        counted = np.bincount(codes, minlength=self._sizes[element])
        self._of_level[level] += counted
        self._of_place += counted
        if len(self._of_left[level]):
            np.add.at(self._of_left[level], (self._context(self._left, element, span, known), codes), 1)
            np.add.at(self._of_above[level], (self._context(self._above, element, span, known), codes), 1)

    def _context(self, of: Integers, element: int, span: Integers, known: Integers) -> Integers:
        other = int(of[element])
        return np.full(len(span), self._sizes[element]) if other < 0 else known[span, other]


def neighbours(layout: CodeLayout) -> tuple[Integers, Integers]:
    """int64 [N] each: the elements of the same level to the left and above; -1 where there is none."""
    left, above, start = [], [], 0
    for sizes, at in zip(layout.sizes, layout.positions, strict=True):
        width = at[-1] if at else 1
        place = np.arange(math.prod(at)).repeat(len(sizes))
        own = start + np.arange(len(place))
        left.append(np.where(place % width > 0, own - len(sizes), -1))
        above.append(np.where(place >= width, own - width * len(sizes), -1))
        start += len(place)
    return np.concatenate(left).astype(np.int64), np.concatenate(above).astype(np.int64)
