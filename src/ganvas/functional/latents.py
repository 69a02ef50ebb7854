"""Latent vectors, and classes, as functions of a number."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ganvas.functional.random import hash64


def latent(dim: int, number: int, truncation: float | None = None) -> Tensor:
    """One latent vector, float32 [dim], a function of ``number`` (a 64-bit hash).

    Args:
        dim: its length.
        number: seed of its own generator.
        truncation: None draws from N(0, 1); t >= 0 from N(0, 1) cut to [-t, t] (the truncation trick, Brock
            2018, arXiv:1809.11096, section 3.1), by the inverse of its distribution function.
    """
    generator = torch.Generator().manual_seed(number)
    if truncation is None:
        return torch.randn(dim, generator=generator)
    uniform = torch.rand(dim, generator=generator, dtype=torch.float64) * 2 - 1
    cut = math.erf(truncation / math.sqrt(2))  # the mass inside [-t, t]
    return (math.sqrt(2) * torch.erfinv(uniform * cut)).float()


def drawn_labels(
    num_classes: int | None, num: int, seed: int, *, start: int, device: torch.device
) -> Tensor | None:
    """The classes int64 [num] of samples start, start + 1, ..., functions of (seed, i); None without."""
    if num_classes is None:
        return None
    numbers = [hash64(seed, "label", i) % num_classes for i in range(start, start + num)]
    return torch.tensor(numbers, dtype=torch.int64, device=device)
