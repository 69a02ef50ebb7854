"""Finite scalar quantization (Mentzer 2023, arXiv:2309.15505).

Symbols, per dimension j: L levels, h half the bounded width, o the offset of even L, s the shift.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ganvas.errors import require
from ganvas.functional.codes import rows_of, straight_through
from ganvas.functional.precision import WIDE, at_least_float32, widened
from ganvas.model.quantizer.vectorwise import RowsOutput, VectorwiseQuantizer

_EPSILON = 1e-3  # the paper's: keeps the bounded values off the edges of the outermost cells
_EDGE = 1 - 1e-6  # of tanh, beyond which atanh is hardly a number
_LARGEST = 2**62  # codes; an index is an int64


class FSQ(VectorwiseQuantizer):
    """Each of D dimensions is squashed by tanh and rounded to one of its own few levels; nothing is learned.

        b = h tanh(z + s) - o,   code = round(b) / floor(L/2),   h = (L - 1)(1 - 1e-3)/2,
        o = 1/2 for even L, else 0,   s = atanh(o/h)  (the paper prints tan; atanh makes 0 map to 0)

    The index is the mixed-radix number of round(b) + floor(L/2), the first dimension the lowest digit.

    Args:
        levels: L of each dimension, each at least 3; [8, 5, 5, 5] makes 1,000 codes.
        embedding_dim: D, the length of one vector; it is ``len(levels)``.

    Raises:
        OptionError: a level below 3, more than 2^62 codes, or an ``embedding_dim`` that does not fit.
    """

    losses = ()
    half_width: Tensor  # h, float32 [D]; these follow from the levels, so no checkpoint holds them
    offset: Tensor  # o, float32 [D]
    shift: Tensor  # s, float32 [D]
    radix: Tensor  # int64 [D], what one step in a dimension adds to the index
    width: Tensor  # floor(L/2), int64 [D]
    levels: Tensor  # L, int64 [D]

    def __init__(self, levels: list[int], embedding_dim: int) -> None:
        super().__init__()
        require(len(levels) > 0, "levels", levels, "must name at least one level; [8, 5, 5, 5] is usual")
        require(
            min(levels) >= 3,
            "levels",
            levels,
            "each must be at least 3, for two levels leave tanh no room for the offset; take 3 in its place",
        )
        require(
            math.prod(levels) <= _LARGEST,
            "levels",
            levels,
            f"make {math.prod(levels)} codes, more than an index counts (2^62); name fewer or smaller levels",
        )
        require(
            embedding_dim == len(levels),
            "embedding_dim",
            embedding_dim,
            f"must be the number of levels, {len(levels)}; the YAML computes it",
        )
        self.codebook_sizes, self.embedding_dim = (math.prod(levels),), embedding_dim
        count = torch.tensor(levels, dtype=torch.int64)
        half_width, offset, shift = _bounds(count)
        constants = {
            "half_width": half_width,
            "offset": offset,
            "shift": shift,
            "radix": torch.tensor([math.prod(levels[:j]) for j in range(len(levels))], dtype=torch.int64),
            "width": count // 2,
            "levels": count,
        }
        for name, value in constants.items():
            self.register_buffer(name, value, persistent=False)

    def quantize(self, rows: Tensor, weight: Tensor | None = None) -> RowsOutput:
        bounded = self._bounded(rows)  # [N, D]
        rounded = bounded.detach().round()
        indices = self._index(rounded)[:, None]  # [N, 1]
        quantized = straight_through(quantized=rounded, latent=bounded) / self.width
        loss = torch.zeros((), device=rows.device, dtype=quantized.dtype)
        return RowsOutput(quantized, indices, loss, {}, self.usage_of(indices, weight))

    def search(self, rows: Tensor) -> Tensor:
        return self._index(self._bounded(rows).round())[:, None]

    def look_up(self, indices: Tensor) -> Tensor:
        digits = indices // self.radix % self.levels  # [N, D] in [0, L)
        codes = (digits - self.width).to(at_least_float32(self.half_width).dtype) / self.width
        return codes.to(self.half_width.dtype)

    def squash(self, rows: Tensor) -> Tensor:
        return self._bounded(rows) / self.width

    def unsquash(self, values: Tensor) -> Tensor:
        h, o, s = self._constants()
        inner = (values * self.width + o) / h
        return torch.atanh(inner.clamp(-_EDGE, _EDGE)) - s

    def refinement(self) -> tuple[Tensor, Tensor]:
        """A cell is cut into L equal ones; the codes of an even L are half a cell off their middle."""
        _, o, _ = self._constants()
        return 1 / self.levels.to(o.dtype), -o / self.width

    def index_of(self, codes: Tensor) -> Tensor:
        """Code vectors [B, D, *positions] to their indices int64 [B, 1, *positions]; undoes ``decode``."""
        rounded = (rows_of(codes).float() * self.width).round()
        return self._index(rounded).view(codes.shape[0], 1, *codes.shape[2:])

    def _bounded(self, rows: Tensor) -> Tensor:
        """[N, D] to b, at least float32 [N, D], which rounds to one of the levels."""
        h, o, s = self._constants()
        return h * torch.tanh(rows + s) - o

    def _constants(self) -> tuple[Tensor, Tensor, Tensor]:
        """h, o and s, at least float32 [D] each."""
        if self.half_width.dtype in WIDE:
            return self.half_width, self.offset, self.shift
        return _bounds(
            self.levels
        )  # a cast has rounded them, beyond the outermost levels where there are many

    def _index(self, rounded: Tensor) -> Tensor:
        """round(b), float [N, D], to int64 [N]."""
        return ((rounded.to(torch.int64) + self.width) * self.radix).sum(1)


def _bounds(levels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """h, o and s of levels int64 [D], float32 [D] each."""
    count = widened(levels)
    half = (count - 1) * (1 - _EPSILON) / 2
    offset = torch.where(levels % 2 == 0, 0.5, 0.0).to(count.dtype)
    return half.float(), offset.float(), torch.atanh(offset / half).float()
