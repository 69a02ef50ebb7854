"""Finite scalar quantization (Mentzer 2023, arXiv:2309.15505) and its cells of other widths.

Symbols, per dimension j: L levels, b the bounded value in units of a cell, h half its width, o the offset of
even L, s the shift.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ganvas.errors import is_whole, require
from ganvas.functional.codes import rows_of, straight_through
from ganvas.functional.keyed_random import keyed_uniform
from ganvas.functional.precision import WIDE, at_least_float32, widened
from ganvas.model.quantizer.noisy import NoisyQuantizer
from ganvas.model.quantizer.vectorwise import RowsOutput

_MARGIN = 1e-3  # the paper's
_LINE = 64  # rows
_EDGE = 1 - 1e-6  # of tanh, beyond which atanh is hardly a number
_LARGEST = 2**62  # codes; an index is an int64
_FINEST = 2**20  # levels of a dimension: of more, float32 values near the ends have no code for each
# From all numbers to (-1, 1). The last two make N(0, 1) uniform, the first of them nearly (1.000 to 0.998 of
# log2 L for 3 to 16 levels).
_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "sigmoid": lambda z: 2 * torch.sigmoid(1.6 * z) - 1,
    "normal_cdf": lambda z: torch.erf(z * math.sqrt(0.5)),
}
_INVERSES: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.atanh,
    "sigmoid": lambda a: torch.logit((a + 1) / 2) / 1.6,
    "normal_cdf": lambda a: torch.erfinv(a) * math.sqrt(2),
}
# Whose cells hold about as many of N(0, 1) each; the first one is taken where none is named.
_FITTING = {
    "rounded": ("tanh",),
    "symmetric": ("tanh",),
    "equal": ("normal_cdf", "sigmoid", "tanh"),
}


class FSQ(NoisyQuantizer):
    """Each of D dimensions is squashed and rounded to one of its own few levels; nothing is learned.

    The index is the mixed-radix number of the levels' numbers, from 0, the first dimension the lowest digit.
    With a(z) in (-1, 1) the activation, and the number k of a level, ``cells`` are one of

        rounded    b = h tanh(z + s) - o,  k = round(b) + floor(L/2),  code = round(b) / floor(L/2),
                   h = (L - 1)(1 - margin)/2,  o = 1/2 for even L, else 0,
                   s = atanh(o/h)  (the paper prints tan; atanh makes 0 map to 0)
        symmetric  k = floor((L - 1)(a + 1)/2 + 1/2),  code = 2k/(L - 1) - 1  (Parker 2024, arXiv:2411.19842);
                   the outermost cells are half as wide as the others
        equal      k = floor(L (a + 1)/2),  code = (2k + 1)/L - 1, the cell's centre; all are as wide

    Straight-through: the code's gradient is that of b or a. A tanh gives each level about as many vectors of
    N(0, 1) where the outermost cells are half as wide, the others where all are as wide; so ``rounded`` and
    ``symmetric`` take tanh alone.

    Args:
        levels: L of each dimension, each at least 2 (rounded: 3) and at most 2^20; [8, 5, 5, 5] makes 1,000
            codes.
        embedding_dim: D, the length of one vector; it is ``len(levels)``.
        cells: rounded, symmetric or equal.
        activation: tanh, sigmoid (2 sigmoid(1.6 z) - 1) or normal_cdf (2 Phi(z) - 1); None: the one that fits
            the cells best, tanh, and normal_cdf of equal ones.
        noise: in training, the probability of each scalar to get noise instead of being rounded: uniform
            over one cell's width about its own value (Parker 2024). The indices are those of the rounded
            ones.

    Raises:
        OptionError: a level too small, too large or no whole number, more than 2^62 codes, an
            ``embedding_dim`` that does not fit, an unknown name, an activation that does not fit the cells,
            or a probability outside [0, 1].
    """

    losses = ()
    half_width: Tensor  # h, float32 [D]; these follow from the levels, so no checkpoint holds them
    offset: Tensor  # o, float32 [D]
    shift: Tensor  # s, float32 [D]
    radix: Tensor  # int64 [D], what one step in a dimension adds to the index
    levels: Tensor  # L, int64 [D]

    def __init__(
        self,
        levels: list[int],
        embedding_dim: int,
        cells: str = "rounded",
        activation: str | None = None,
        noise: float = 0.0,
        margin: float = _MARGIN,
    ) -> None:
        super().__init__()
        require(len(levels) > 0, "levels", levels, "must name at least one level; [8, 5, 5, 5] is usual")
        whole = all(is_whole(level) for level in levels)
        require(whole, "levels", levels, "must be whole numbers; [8, 5, 5, 5] is usual")
        levels = [int(level) for level in levels]  # whose product is as large as it is
        require(cells in _FITTING, "cells", cells, f"must be one of {', '.join(_FITTING)}")
        if cells == "rounded":
            rule = "each must be at least 3, for two levels leave tanh no room for the offset; take 3 in its"
            require(min(levels) >= 3, "levels", levels, f"{rule} place, or cells=symmetric")
        require(min(levels) >= 2, "levels", levels, "each must be at least 2")
        rule = f"each must be at most {_FINEST}, for float32 parts no more; spread them over more dimensions"
        require(max(levels) <= _FINEST, "levels", levels, rule)
        require(
            math.prod(levels) <= _LARGEST,
            "levels",
            levels,
            f"make {math.prod(levels)} codes, more than an index counts (2^62); name fewer or smaller levels",
        )
        require(
            is_whole(embedding_dim) and embedding_dim == len(levels),
            "embedding_dim",
            embedding_dim,
            f"must be the number of levels, {len(levels)}; the YAML computes it",
        )
        fitting = _FITTING[cells]
        require(
            activation is None or activation in fitting,
            "activation",
            activation,
            f"must be {' or '.join(fitting)} where cells={cells}, so that levels are used alike; or null",
        )
        require(0 <= noise <= 1, "noise", noise, "must be in [0, 1], a probability")
        rule = f"is of rounded cells alone; leave it at {_MARGIN:g} where cells={cells}"
        require(cells == "rounded" or margin == _MARGIN, "margin", margin, rule)
        most = 1 / (max(levels) - 1)  # half a cell
        rule = (
            f"must be in (-{most:.3g}, {most:.3g}), so that all levels are reached, no other; 1e-3 is usual"
        )
        require(margin == _MARGIN or abs(margin) < most, "margin", margin, rule)
        self.codebook_sizes, self.embedding_dim = (math.prod(levels),), embedding_dim
        self._counts = tuple(levels)  # L for the host, which would wait for the buffer
        self.cells, self.activation, self.noise = cells, activation or fitting[0], noise
        self.margin = margin
        if noise > 0:
            self.start_noise()
        count = torch.tensor(levels, dtype=torch.int64)
        half_width, offset, shift = _bounds(count, margin)
        constants = {
            "half_width": half_width,
            "offset": offset,
            "shift": shift,
            "radix": torch.tensor([math.prod(levels[:j]) for j in range(len(levels))], dtype=torch.int64),
            "levels": count,
        }
        for name, value in constants.items():
            self.register_buffer(name, value, persistent=False)

    def quantize(self, rows: Tensor, weight: Tensor | None = None) -> RowsOutput:
        lines = _lines(rows)  # [N/m, m D]
        line = self._line(lines)
        activated = self._activated(lines, line)
        with torch.no_grad():
            bounded = _bounded(activated, line)
            rounded = self._rounded(bounded, line)
            indices = self._index(rounded, line)[:, None]  # [N, 1]
            if (keys := self.next_keys(rows, weight)) is not None:
                drawn = keyed_uniform(keys, "fsq", self.embedding_dim, 2)  # [N, D, 2]
                shift, chance = (one.reshape(lines.shape) for one in drawn.unbind(-1))
                rounded = torch.where(chance < self.noise, bounded + shift - 0.5, rounded)
            values = rounded.div_(line.width)  # in its own memory, as much of the time is that of new one
        quantized = straight_through(quantized=values, latent=activated, slope=line.scale / line.width)
        loss = torch.zeros((), device=rows.device, dtype=quantized.dtype)
        return RowsOutput(quantized.view(rows.shape), indices, loss, {}, self.usage_of(indices, weight))

    def search(self, rows: Tensor) -> Tensor:
        lines = _lines(rows)
        line = self._line(lines)
        bounded = _bounded(self._activated(lines, line), line)
        return self._index(self._rounded(bounded, line), line)[:, None]

    def look_up(self, indices: Tensor) -> Tensor:
        digits = indices // self.radix % self.levels  # [N, D] in [0, L)
        dtype = at_least_float32(self.half_width).dtype
        codes = (digits.to(dtype) - self._centre(dtype)) / self._width(dtype)
        return codes.to(self.half_width.dtype)

    def squash(self, rows: Tensor) -> Tensor:
        line = self._line(rows)
        return _bounded(self._activated(rows, line), line) / line.width

    def unsquash(self, values: Tensor) -> Tensor:
        if self.cells != "rounded":
            return _INVERSES[self.activation](values.clamp(-_EDGE, _EDGE))
        h, o, s = self._constants()
        inner = (values * self._width(values.dtype) + o) / h
        return torch.atanh(inner.clamp(-_EDGE, _EDGE)) - s

    def refinement(self) -> tuple[Tensor, Tensor]:
        """A cell is cut into L equal ones; rounded codes of an even L are half a cell off their middle.

        Symmetric codes stand at the ends of what is cut, and so L - 1 to a cell.
        """
        _, o, _ = self._constants()
        if self.cells == "rounded":
            return 1 / self.levels.to(o.dtype), -o / self._width(o.dtype)
        parts = self.levels - 1 if self.cells == "symmetric" else self.levels
        return 1 / parts.to(o.dtype), torch.zeros_like(o)

    def index_of(self, codes: Tensor) -> Tensor:
        """Code vectors [B, D, *positions] to their indices int64 [B, 1, *positions]; undoes ``decode``."""
        rows = at_least_float32(rows_of(codes))
        digits = (rows * self._width(rows.dtype) + self._centre(rows.dtype)).round()
        return self._number(digits).view(codes.shape[0], 1, *codes.shape[2:])

    def _line(self, lines: Tensor) -> _Line:
        """The constants of lines [N/m, m D], of their type."""
        columns = torch.stack([one.to(lines.dtype) for one in self._columns(lines.dtype)])  # [5, D]
        many = lines.shape[1] // self.embedding_dim
        return _Line(*(columns if many == 1 else columns.repeat(1, many)).unbind(0))

    def _columns(self, dtype: torch.dtype) -> tuple[Tensor, ...]:
        width, centre = self._width(dtype), self._centre(dtype)
        if self.cells == "rounded":
            return *self._constants(), width, centre
        scale = (self.levels - 1 if self.cells == "symmetric" else self.levels).to(dtype) / 2
        return scale, torch.zeros_like(scale), torch.zeros_like(scale), width, centre

    def _activated(self, lines: Tensor, line: _Line) -> Tensor:
        if self.cells == "rounded":
            return (lines + line.shift).tanh_()
        return _ACTIVATIONS[self.activation](lines)

    def _rounded(self, bounded: Tensor, line: _Line) -> Tensor:
        """b of lines to the level nearest to it, in units of a cell."""
        if self.cells == "rounded":
            return bounded.round()
        # at the end of the last cell floor goes beyond it
        digits = (bounded + line.centre + 0.5).floor().clamp(min=0).minimum(2 * line.centre)
        return digits - line.centre

    def _constants(self) -> tuple[Tensor, Tensor, Tensor]:
        """h, o and s, at least float32 [D] each."""
        if self.half_width.dtype in WIDE:
            return self.half_width, self.offset, self.shift
        # a cast has rounded them, beyond the outermost levels where there are many
        return _bounds(self.levels, self.margin)

    def _index(self, rounded: Tensor, line: _Line) -> Tensor:
        """Levels in units of a cell, float lines [N/m, m D], to int64 [N]."""
        return self._number((rounded + line.centre).view(-1, self.embedding_dim))

    def _number(self, digits: Tensor) -> Tensor:
        """float [N, D] in [0, L) to int64 [N], by Horner's scheme."""
        # a sum over so few numbers is slow in torch
        is_exact = self.codebook_sizes[0] * torch.finfo(digits.dtype).eps <= 1  # in the digits' own type
        *lower, number = (digits if is_exact else digits.to(torch.int64)).unbind(1)  # [N] each
        for digit, count in zip(lower[::-1], self._counts[-2::-1], strict=True):
            number = torch.add(digit, number, alpha=count)
        return number.to(torch.int64)

    def _centre(self, dtype: torch.dtype) -> Tensor:
        """The number, [D], whose code is 0; between two levels where these are symmetric and even."""
        if self.cells == "rounded":
            return (self.levels // 2).to(dtype)
        return (self.levels - 1).to(dtype) / 2

    def _width(self, dtype: torch.dtype) -> Tensor:
        """Cells, [D], in one unit of a code."""
        if self.cells == "rounded":
            return (self.levels // 2).to(dtype)
        return (self.levels if self.cells == "equal" else self.levels - 1).to(dtype) / 2


class _Line(NamedTuple):
    """Constants of each dimension in turn, [m D], for all the vectors of a line.

    Attributes:
        scale: b is scale times the activation, less the offset; that is h, of other cells half their number.
        offset: o.
        shift: s.
        width: cells in one unit of a code.
        centre: the number of the level whose code is 0.
    """

    scale: Tensor
    offset: Tensor
    shift: Tensor
    width: Tensor
    centre: Tensor


def _bounded(activated: Tensor, line: _Line) -> Tensor:
    """b, in units of a cell."""
    return torch.addcmul(-line.offset, activated, line.scale)


def _lines(rows: Tensor) -> Tensor:
    """Rows [N, D] as [N/m, m D], each value where it was: m = 64 on a CPU where it divides N, else 1.

    torch takes several times as long to combine [N, 4] with [4] as to combine [N/64, 256] with [256].
    """
    plain = torch.compiler.is_compiling() or rows.device.type != "cpu" or not rows.is_contiguous()
    return rows if plain or len(rows) % _LINE else rows.view(-1, _LINE * rows.shape[1])


def _bounds(levels: Tensor, margin: float) -> tuple[Tensor, Tensor, Tensor]:
    """h, o and s of levels int64 [D], float32 [D] each."""
    count = widened(levels)
    half = (count - 1) * (1 - margin) / 2
    offset = torch.where(levels % 2 == 0, 0.5, 0.0).to(count.dtype)
    # of two levels, which have no such bounds, it is beyond what atanh takes
    shift = torch.atanh((offset / half).clamp(max=1 - _MARGIN))
    return half.float(), offset.float(), shift.float()
