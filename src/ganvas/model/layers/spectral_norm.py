"""Spectral normalization (Miyato 2018, arXiv:1802.05957, algorithm 1), once a training step."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.utils.parametrize import register_parametrization

_START = 15  # iterations from random vectors, so that the first weights are bounded too

Layer = TypeVar("Layer", bound=nn.Module)


class SpectralNorm(nn.Module):
    """A weight over an estimate of its largest singular value, u' W v, that power iteration follows.

    In training mode each forward pass makes one iteration. A recipe that calls :meth:`begin_step` has one
    made in the first forward pass after it, and none in the others of that step: real and generated samples,
    penalties and micro-batches then meet one function, and the cost is paid once. In eval mode none is made.

    Args:
        weight: the first value.
        dim: the weight's dimension of outputs; 1 of transposed convolutions.
        eps: smallest length that is divided by.
    """

    u: Tensor
    v: Tensor

    def __init__(self, weight: Tensor, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        self.dim, self.eps = dim, eps
        self._once_a_step, self._is_due = False, True
        matrix = self._matrix(weight.detach())
        for name, size in zip("uv", matrix.shape, strict=True):
            start = normalize(torch.randn(size, dtype=matrix.dtype, device=matrix.device), dim=0, eps=eps)
            self.register_buffer(name, start)
        self._iterate(matrix, _START)

    def begin_step(self) -> None:
        """Lets the next forward pass in training mode make an iteration, and no other one after it."""
        self._once_a_step = self._is_due = True

    def end_steps(self) -> None:
        """Lets every forward pass in training mode make one again."""
        self._once_a_step, self._is_due = False, True

    def forward(self, weight: Tensor) -> Tensor:
        matrix = self._matrix(weight)
        if self.training and self._is_due:
            self._iterate(matrix.detach(), 1)
            self._is_due = not self._once_a_step
        # Copies: the vectors move again, or back, before the gradients of this weight may be asked for.
        u, v = self.u.clone(), self.v.clone()
        return weight / torch.dot(u, torch.mv(matrix, v))

    def right_inverse(self, value: Tensor) -> Tensor:
        """A weight that is set is the one before the division."""
        return value

    @torch.no_grad()
    def _iterate(self, matrix: Tensor, times: int) -> None:
        for _ in range(times):
            self.u.copy_(normalize(torch.mv(matrix, self.v), dim=0, eps=self.eps))
            self.v.copy_(normalize(torch.mv(matrix.t(), self.u), dim=0, eps=self.eps))

    def _matrix(self, weight: Tensor) -> Tensor:
        """Outputs by all else."""
        if self.dim:
            weight = weight.transpose(0, self.dim)
        return weight.flatten(1)


def spectral_norm(layer: Layer, eps: float = 1e-12) -> Layer:
    """The layer, whose weight is divided by its largest singular value from now on.

    Args:
        layer: a linear layer, an embedding or a convolution, also a transposed one.
        eps: see :class:`SpectralNorm`.
    """
    transposed = isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d)
    weight = layer.get_parameter("weight")
    register_parametrization(layer, "weight", SpectralNorm(weight, dim=int(transposed), eps=eps))
    return layer
