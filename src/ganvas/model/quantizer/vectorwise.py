"""What quantizers share that look at each vector by itself, wherever it stands.

Symbols: N vectors of D dimensions, the rows of latents [B, D, *positions].
"""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.functional.code_usage import of_all_levels, usage_of_levels
from ganvas.functional.codes import grid_of, rows_of
from ganvas.functional.distributed import sum_over_ranks, world_size
from ganvas.model.quantizer.interface import Quantizer, QuantizerOutput


class RowsOutput(NamedTuple):
    """One quantization of rows.

    Attributes:
        quantized: [N, D]; its gradient reaches the rows.
        indices: int64 [N, levels].
        loss: scalar, as in :class:`ganvas.model.quantizer.interface.QuantizerOutput`.
        losses: its terms before weighting, detached scalars.
        usage: of each level: see :func:`ganvas.functional.code_usage.usage`.
    """

    quantized: Tensor
    indices: Tensor
    loss: Tensor
    losses: dict[str, Tensor]
    usage: tuple[dict[str, Tensor], ...]


class VectorwiseQuantizer(Quantizer):
    """A quantizer of rows; positions and masks are dealt with here.

    Attributes:
        takes_residuals: its codes come near to vectors however small, or by ``refinement``, so that another
            of its kind can say what is left over.
        learns_from_quantized: parameters of its codes get a gradient from ``quantized``, beside the loss's.
    """

    takes_residuals: bool = True
    learns_from_quantized: bool = False

    def forward(self, z: Tensor, mask: Tensor | None = None) -> QuantizerOutput:
        weight = None if mask is None else mask.flatten().to(z.dtype)  # [N]
        if weight is None and z.numel() == 0:
            weight = weight_of_none(z)
        found = self.quantize_batch(rows_of(z), weight, z.shape[0])
        quantized, indices = found.quantized, found.indices
        if weight is not None:
            quantized = quantized * weight[:, None]
            indices = indices.masked_fill(weight[:, None] == 0, -1)
        shape = (z.shape[0], *z.shape[2:])
        metrics = found.losses | of_all_levels(found.usage)
        return QuantizerOutput(grid_of(quantized, shape), grid_of(indices, shape), found.loss, metrics)

    def encode(self, z: Tensor) -> Tensor:
        return grid_of(self.search(rows_of(z)), (z.shape[0], *z.shape[2:]))

    def decode(self, indices: Tensor, levels: int | None = None) -> Tensor:  # the contract cuts the indices
        return grid_of(self.look_up(rows_of(indices)), (indices.shape[0], *indices.shape[2:]))

    @abstractmethod
    def quantize(self, rows: Tensor, weight: Tensor | None = None) -> RowsOutput:
        """``forward`` of rows, float32 or float64 [N, D], all of them finite.

        Args:
            weight: float [N], 0 for rows that a mask leaves out and 1 for the others; None: all are there.
        """

    def quantize_batch(self, rows: Tensor, weight: Tensor | None, samples: int) -> RowsOutput:
        """``quantize`` of the rows of ``samples`` samples, one after another, as many of each."""
        return self.quantize(rows, weight)

    @abstractmethod
    def search(self, rows: Tensor) -> Tensor:
        """``encode`` of rows [N, D]: indices int64 [N, levels]."""

    @abstractmethod
    def look_up(self, indices: Tensor) -> Tensor:
        """``decode`` of indices int64 [N, levels], or of the first levels alone: code vectors [N, D]."""

    def prepare(self, rows: Tensor, weight: Tensor | None = None) -> None:
        """Makes codes of rows [N, D] in training, where they are to be made of data and are not yet.

        ``weight``: as in ``quantize``; where it leaves all out, none are made.
        """

    def squash(self, rows: Tensor) -> Tensor:
        """What the codes of rows [N, D] are near to: the rows, unless ``quantize`` squashes them."""
        return rows

    def unsquash(self, values: Tensor) -> Tensor:
        """Rows of which ``squash`` makes values [N, D], or the nearest that there are."""
        return values

    def refinement(self) -> tuple[Tensor, Tensor] | None:
        """How codes that stay where they are say what they leave over: scale s and centre c, float [D] each.

        What is left of a vector is near to s (code - c), then to s^2 (code - c), and so on. None: the codes
        follow the vectors that they are given, and so are as fine as these.
        """
        return None

    def mean(self, values: Tensor, weight: Tensor | None) -> Tensor:
        """The mean of values [N, ...] over the rows that are there; a scalar.

        In training it is over as many rows as all ranks have on average, so that the mean of the ranks'
        gradients is that of one process on the joint batch. 0 where no row is there.
        """
        if weight is None:
            return values.mean()
        number = weight.sum()
        if self.training:  # in eval mode a rank may be alone
            number = sum_over_ranks(number) / world_size()
        each = values.flatten(1).mean(1) if values.ndim > 1 else values
        return (each * weight).sum() / number.clamp(min=torch.finfo(number.dtype).tiny)

    def are_any(self, weight: Tensor) -> Tensor:
        """Whether a row is there, in training on any rank: a bool scalar on the device, which may stay there.

        Where none is, a batch teaches nothing.
        """
        number = weight.sum()
        return (sum_over_ranks(number) if self.training else number) > 0

    def mean_square(self, one: Tensor, other: Tensor, weight: Tensor | None) -> Tensor:
        """``mean`` of the squared difference of two tensors [N, D]."""
        if weight is None:
            return F.mse_loss(one, other)  # holds no difference of theirs
        return self.mean((one - other).square(), weight)

    def usage_of(self, indices: Tensor, weight: Tensor | None) -> tuple[dict[str, Tensor], ...]:
        """The usage of every level by indices int64 [N, levels], in training over all ranks."""
        return usage_of_levels(indices, self.codebook_sizes, weight=weight, over_ranks=self.training)


def weight_of_none(z: Tensor) -> Tensor:
    """The weight [0] of a batch without a vector, which like one that a mask leaves out teaches nothing."""
    return z.new_zeros(0)
