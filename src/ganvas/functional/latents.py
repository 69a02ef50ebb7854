"""Latent vectors as functions of a number."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def latent(dim: int, number: int, truncation: float | None = None) -> Tensor:
    """One latent vector, float32 [dim], a function of ``number`` (a 64-bit hash).

    Args:
        dim: its length.
        number: seed of its own generator.
        truncation: None draws from N(0, 1); t > 0 from N(0, 1) cut to [-t, t] (the truncation trick, Brock
            2018, arXiv:1809.11096, section 3.1), by the inverse of its distribution function.
    """
    generator = torch.Generator().manual_seed(number)
    if truncation is None:
        return torch.randn(dim, generator=generator)
    uniform = torch.rand(dim, generator=generator, dtype=torch.float64) * 2 - 1
    cut = math.erf(truncation / math.sqrt(2))  # the mass inside [-t, t]
    return (math.sqrt(2) * torch.erfinv(uniform * cut)).float()
