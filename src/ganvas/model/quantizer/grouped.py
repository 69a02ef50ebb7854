"""Product quantization (Jegou 2011, doi:10.1109/TPAMI.2010.57), also of residual quantizers (Yang 2023,
arXiv:2305.02765).

Symbols: N vectors of D dimensions, cut in G groups of D/G.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn

from ganvas.errors import require_whole
from ganvas.model.quantizer.nested import check_length, inner_quantizer, mean_losses
from ganvas.model.quantizer.vectorwise import RowsOutput, VectorwiseQuantizer


class GroupedQuantizer(VectorwiseQuantizer):
    """A vector is a row of G parts, each with a quantizer and codes of its own.

    The groups' indices stand side by side. Where the inner quantizer has several levels, the first level of
    all groups comes before the second of any, so that ``decode`` can be cut short at one level of every
    group; of parts with one code each nothing can be left out (``num_cuts`` is 1). The loss is the groups'
    mean.

    Args:
        inner: makes one group's quantizer; it is called once for each group.
        groups: G.
        embedding_dim: D, where it is known; it is G times the inner quantizer's.

    Raises:
        OptionError: fewer than 1 group, an inner part that quantizes no vectors, or an ``embedding_dim`` that
            is not G of its vectors.
    """

    def __init__(
        self, inner: Callable[[], VectorwiseQuantizer], groups: int = 2, embedding_dim: int | None = None
    ) -> None:
        super().__init__()
        require_whole("groups", groups, 1, "2 is usual")
        self.inners = nn.ModuleList(inner_quantizer(inner) for _ in range(groups))
        self.groups, one = groups, self._all()[0]
        self.embedding_dim, self.losses = groups * one.embedding_dim, one.losses
        self.draws_codes, self.compares_vectors = one.draws_codes, one.compares_vectors
        check_length(
            embedding_dim, self.embedding_dim, f"{groups} groups of the inner quantizer's {one.embedding_dim}"
        )
        self.codebook_sizes = tuple(size for size in one.codebook_sizes for _ in range(groups))
        self.takes_residuals, self.learns_from_quantized = one.takes_residuals, one.learns_from_quantized
        self.levels_may_be_absent = one.levels_may_be_absent

    @property
    def num_cuts(self) -> int:
        return self._all()[0].num_cuts

    def cut(self, indices: Tensor, levels: int) -> Tensor:
        many = self._all()[0].cut(indices[:, :: self.groups], levels).shape[1]
        return indices[:, : many * self.groups]

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freezes the codes of all groups, or lets them move again, by whatever moves them."""
        for one in self.inners:
            one.requires_grad_(requires_grad)
        return self

    def quantize(self, rows: Tensor, weight: Tensor | None = None) -> RowsOutput:
        return self.quantize_batch(rows, weight, len(rows))

    def quantize_batch(self, rows: Tensor, weight: Tensor | None, samples: int) -> RowsOutput:
        parts = self._parts(rows)
        found = [
            one.quantize_batch(part, weight, samples) for one, part in zip(self._all(), parts, strict=True)
        ]
        return RowsOutput(
            torch.cat([one.quantized for one in found], dim=1),
            _side_by_side([one.indices for one in found]),
            torch.stack([one.loss for one in found]).mean(),
            mean_losses(found),
            tuple(usage for level in zip(*(one.usage for one in found), strict=True) for usage in level),
        )

    def search(self, rows: Tensor) -> Tensor:
        pairs = zip(self._all(), self._parts(rows), strict=True)
        return _side_by_side([one.search(part) for one, part in pairs])

    def look_up(self, indices: Tensor) -> Tensor:
        if indices.shape[1] % self.groups:
            raise ValueError(
                f"indices have {indices.shape[1]} levels: must be a multiple of {self.groups} groups"
            )
        own = [indices[:, group :: self.groups] for group in range(self.groups)]
        return torch.cat([one.look_up(part) for one, part in zip(self._all(), own, strict=True)], dim=1)

    def prepare(self, rows: Tensor, weight: Tensor | None = None) -> None:
        for one, part in zip(self._all(), self._parts(rows), strict=True):
            one.prepare(part, weight)

    def squash(self, rows: Tensor) -> Tensor:
        pairs = zip(self._all(), self._parts(rows), strict=True)
        return torch.cat([one.squash(part) for one, part in pairs], dim=1)

    def unsquash(self, values: Tensor) -> Tensor:
        pairs = zip(self._all(), self._parts(values), strict=True)
        return torch.cat([one.unsquash(part) for one, part in pairs], dim=1)

    def refinement(self) -> tuple[Tensor, Tensor] | None:
        fine = self._all()[0].refinement()
        return None if fine is None else (fine[0].repeat(self.groups), fine[1].repeat(self.groups))

    def _all(self) -> list[VectorwiseQuantizer]:
        return list(self.inners)  # type: ignore[arg-type]  # torch's type says modules

    def _parts(self, rows: Tensor) -> list[Tensor]:
        """Rows [N, D] as G of [N, D/G]."""
        return [part.contiguous() for part in rows.chunk(self.groups, dim=1)]


def _side_by_side(indices: list[Tensor]) -> Tensor:
    """G of [N, levels] to [N, levels * G], the first level of all groups first."""
    return torch.stack(indices, dim=2).flatten(1)
