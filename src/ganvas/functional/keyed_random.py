"""Random numbers that a sample brings along: functions of a key, and the key a function of its latent.

Where a network draws inside its forward pass, these make no difference between one process and many, a batch
and its parts, a CPU and an accelerator (but for rounding), and no generator has a state to be kept.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ganvas.functional.random import hash_index


def keys_of(z: Tensor) -> Tensor:
    """A number for each row of ``z`` [B, D], by its bits as float32: int64 [B] in [0, 2^63)."""
    bits = z.detach().float().contiguous().view(torch.int32).long()
    places = torch.arange(z.shape[1], device=z.device) << 32
    return hash_index(hash_index(bits + places).sum(1))  # a sum of whole numbers knows no order


def keyed_uniform(keys: Tensor, purpose: str, *shape: int) -> Tensor:
    """Uniform float32 on [0, 1) [B, *shape] for keys int64 [B]; another purpose gives other numbers."""
    return _low_bits(_numbers(keys, purpose, shape))


def keyed_normal(keys: Tensor, purpose: str, *shape: int) -> Tensor:
    """Standard normal float32 [B, *shape] for keys int64 [B] (Box & Muller 1958)."""
    numbers = _numbers(keys, purpose, shape)
    radius = (-2 * (((numbers >> 32) + 1).float() * 2.0**-31).log()).sqrt()  # of a uniform one on (0, 1]
    return radius * (2 * math.pi * _low_bits(numbers)).cos()


def _numbers(keys: Tensor, purpose: str, shape: tuple[int, ...]) -> Tensor:
    """63 random bits each, int64 [B, *shape]."""
    index = hash_index(torch.arange(math.prod(shape), device=keys.device), purpose)
    return hash_index(keys[:, None] ^ index).view(-1, *shape)


def _low_bits(numbers: Tensor) -> Tensor:
    """The lowest 24 bits as a float32 on [0, 1), which holds them exactly."""
    return (numbers & 0xFFFFFF).float().mul_(2.0**-24)
