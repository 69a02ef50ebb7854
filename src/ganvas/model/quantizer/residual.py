"""Residual vector quantization (Juang & Gray 1982; Zeghidour 2021, arXiv:2107.03312, section III-C).

Symbols: N vectors z of D dimensions; q_i the code of level i, r_i what the first i levels leave over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn

from ganvas.errors import require, require_whole
from ganvas.functional.distributed import rank
from ganvas.functional.precision import at_least_float32
from ganvas.functional.random import hash_index
from ganvas.model.quantizer.nested import (
    check_length,
    inner_quantizer,
    mean_losses,
    refuse_untaken,
)
from ganvas.model.quantizer.vectorwise import RowsOutput, VectorwiseQuantizer


class ResidualQuantizer(VectorwiseQuantizer):
    """A vector is a sum of codes: each level quantizes what the levels before it leave over.

        r_0 = z,    q_i = code of r_{i-1},    r_i = r_{i-1} - sg q_i,    quantized = q_1 + ... + q_n

    The sum has one straight-through gradient, with Jacobian I; the inner quantizer's own gradient through the
    choice of a code is not taken, its losses are. Codes that learn from ``quantized`` (of diveq, ibq, and
    cosine's projection) get the sum's gradient. The loss is the mean of the levels', so that one level is the
    inner quantizer itself. ``decode`` of the first k levels is the coarser vector q_1 + ... + q_k.

    Codes that follow their vectors (vq, vq_ema) become as fine as these. Codes that stay where they are say
    what is left over in finer steps (``refinement``): FSQ with L values of a dimension cuts each of its cells
    in L equal ones at every further level, so that n levels are L^n cells, and LFQ and BSQ add a bit a
    dimension; r_0 is then the squashed vector.

    Args:
        inner: makes one level's quantizer; it is called once for each level.
        levels: how many.
        shared: one codebook for all levels, which learns from the levels one after another.
        dropout: probability with which a sample has in training its first n levels alone, n uniform in
            1, ..., levels, so that the first levels learn to do without the others. The index of a dropped
            level is -1, and the sample takes no part in its loss and statistics. A function of the number of
            batches so far and of the sample's number in the global batch. Codes that start by k-means do so
            by what all samples leave over.
        embedding_dim: D, where it is known; it is the inner quantizer's.

    Raises:
        OptionError: fewer than 1 level, a probability outside [0, 1], an inner part that quantizes no vectors
            or has levels to be cut, its ``gradient=rotation``, or another ``embedding_dim`` than its own.
    """

    levels_may_be_absent = True
    never_negative = ("dropouts",)
    dropouts: Tensor  # int64 scalar: training batches of which some samples were cut short

    def __init__(
        self,
        inner: Callable[[], VectorwiseQuantizer],
        levels: int = 8,
        shared: bool = False,
        dropout: float = 0.0,
        embedding_dim: int | None = None,
    ) -> None:
        super().__init__()
        require_whole("levels", levels, 1, "8 is usual")
        require(0 <= dropout <= 1, "dropout", dropout, "must be in [0, 1], a probability; 0.5 is usual")
        self.inners = nn.ModuleList(inner_quantizer(inner) for _ in range(1 if shared else levels))
        self.num_levels, self.shared, self.dropout = levels, shared, dropout
        one = self._level(0)
        reason = "has levels of its own; give levels here, or take a grouped one of residual ones"
        require(one.num_cuts == 1, "inner", type(one).__name__, reason)
        reason = "its codes do not come near to what others leave over; take another quantizer"
        require(one.takes_residuals, "inner", type(one).__name__, reason)
        reason = "would change nothing, for the sum of codes has one straight-through gradient"
        refuse_untaken(one, reason, gradient=("straight_through", "diveq"))
        self.embedding_dim, self.losses = one.embedding_dim, one.losses
        self.draws_codes, self.compares_vectors = dropout > 0 or one.draws_codes, one.compares_vectors
        check_length(embedding_dim, one.embedding_dim, "the inner quantizer's")
        self.codebook_sizes, self._width = one.codebook_sizes * levels, len(one.codebook_sizes)
        # k-means needs as many vectors as codes: of a sample that dropout cuts short too
        self._starts_of_all = any(getattr(part, "start", None) == "kmeans" for part in one.modules())
        self._is_frozen = False
        self.register_buffer("dropouts", torch.zeros((), dtype=torch.int64))

    @property
    def num_cuts(self) -> int:
        return self.num_levels

    def cut(self, indices: Tensor, levels: int) -> Tensor:
        return indices[:, : levels * self._width]

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freezes the codes of all levels, or lets them move again, by whatever moves them."""
        self._is_frozen = not requires_grad
        for one in self.inners:
            one.requires_grad_(requires_grad)
        return self

    def quantize(self, rows: Tensor, weight: Tensor | None = None) -> RowsOutput:
        return self.quantize_batch(rows, weight, len(rows))

    def quantize_batch(self, rows: Tensor, weight: Tensor | None, samples: int) -> RowsOutput:
        depth = self._depths(rows, weight, samples)  # [N]
        latent = self._level(0).squash(rows)
        total = whole = torch.zeros_like(latent)  # whole: as if no level were dropped
        found: list[RowsOutput] = []
        for level in range(self.num_levels):
            there = weight
            if depth is not None and level > 0:
                kept = (depth > level).to(rows.dtype)
                there = kept if weight is None else weight * kept
            inner, left_over = self._level(level), self._left_over(rows, latent, whole, level)
            if there is not weight and self._starts_of_all:
                inner.prepare(left_over, weight)
            one = inner.quantize_batch(left_over, there, samples)
            term = self._term(one.quantized.detach(), level)
            if inner.learns_from_quantized and torch.is_grad_enabled():
                codes = self._term(inner.look_up(one.indices).to(term.dtype), level)
                term = term + (codes - codes.detach())  # a zero with the gradient of the sum to the codes
            if depth is None:
                total = whole = total + term
            else:
                is_dropped = (depth <= level)[:, None]
                total, whole = total + term.masked_fill(is_dropped, 0), whole + term.detach()
                one = one._replace(indices=one.indices.masked_fill(is_dropped, -1))
            found.append(one)
        return RowsOutput(
            total + (latent - latent.detach()),  # straight-through
            torch.cat([one.indices for one in found], dim=1),
            torch.stack([one.loss for one in found]).mean(),
            mean_losses(found),
            tuple(usage for one in found for usage in one.usage),
        )

    def search(self, rows: Tensor) -> Tensor:
        latent = self._level(0).squash(rows)
        total = torch.zeros_like(latent)
        found = []
        for level in range(self.num_levels):
            inner = self._level(level)
            found.append(inner.search(self._left_over(rows, latent, total, level)))
            if level + 1 < self.num_levels:
                total = total + self._term(inner.look_up(found[-1]).to(rows.dtype), level)
        return torch.cat(found, dim=1)

    def look_up(self, indices: Tensor) -> Tensor:
        if indices.shape[1] % self._width:
            raise ValueError(f"indices have {indices.shape[1]} levels: must be a multiple of {self._width}")
        total: Tensor | None = None
        for level, own in enumerate(indices.split(self._width, dim=1)):
            codes = self._level(level).look_up(own.clamp(min=0))
            term = self._term(at_least_float32(codes), level).masked_fill(own[:, :1] < 0, 0)
            total = term if total is None else total + term
        assert total is not None  # the contract: there is a level
        return total.to(codes.dtype)

    def _level(self, level: int) -> VectorwiseQuantizer:
        one: VectorwiseQuantizer = self.inners[0 if self.shared else level]  # type: ignore[assignment]
        return one

    def _left_over(self, rows: Tensor, latent: Tensor, total: Tensor, level: int) -> Tensor:
        """What a level's quantizer is given of rows [N, D], of which ``total`` [N, D] is said already."""
        if level == 0:
            return rows
        one, left = self._level(level), latent - total.detach()
        fine = one.refinement()
        if fine is None:
            return left
        largest = torch.finfo(left.dtype).max  # a large number in ever finer steps would be infinite
        return one.unsquash((left / fine[0] ** level + fine[1]).clamp(-largest, largest))

    def _term(self, codes: Tensor, level: int) -> Tensor:
        """What a level's codes [N, D] add."""
        fine = self._level(level).refinement() if level > 0 else None
        return codes if fine is None else ((codes - fine[1]) * fine[0] ** level).to(codes.dtype)

    def _depths(self, rows: Tensor, weight: Tensor | None, samples: int) -> Tensor | None:
        """How many levels each of the rows [N, D] has, int64 [N]; None: all."""
        if not (self.training and self.dropout > 0) or self._is_frozen:
            return None
        number = torch.arange(samples, device=rows.device) + rank() * samples
        keys = number ^ hash_index(self.dropouts, "residual dropout: batch")
        share = (hash_index(keys, "residual dropout: whether") >> 39).float() * 2.0**-24
        depth = 1 + hash_index(keys, "residual dropout: depth") % self.num_levels
        depth = depth.where(share < self.dropout, self.num_levels)
        self.dropouts += 1 if weight is None else self.are_any(weight)
        return depth.repeat_interleave(len(rows) // max(samples, 1))
