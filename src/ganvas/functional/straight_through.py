"""The straight-through estimator."""

from __future__ import annotations

from torch import Tensor


def straight_through(*, quantized: Tensor, latent: Tensor) -> Tensor:
    """``quantized`` exactly, with the gradient of ``latent`` (Bengio 2013, arXiv:1308.3432, section 4).

    Of the same shape. The usual ``z + (q - z)`` differs from q by rounding; here the term that carries
    the gradient is an exact zero.
    """
    return quantized.detach() + (latent - latent.detach())
