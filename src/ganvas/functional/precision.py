"""Float types: the widest that a device has, and what half ones are computed in."""

from __future__ import annotations

import torch
from torch import Tensor

WIDE = (torch.float32, torch.float64)  # types that losses and codes are computed in as they come
_WITHOUT_FLOAT64 = {"mps"}


def has_float64(device: torch.device | str) -> bool:
    """Whether a kind of device knows float64; Apple's GPUs refuse to make such a tensor."""
    return torch.device(device).type not in _WITHOUT_FLOAT64


def widest_float(device: torch.device | str) -> torch.dtype:
    """float64, and float32 on a device that has no wider type."""
    return torch.float64 if has_float64(device) else torch.float32


def widened(value: Tensor) -> Tensor:
    """``value``, any real type and shape, in the widest type of its device."""
    return value.to(widest_float(value.device))


def home_of_float64(device: torch.device | str) -> torch.device:
    """Where float64 sums are kept: beside the module, but on the CPU where the device has no float64."""
    device = torch.device(device)
    return device if has_float64(device) else torch.device("cpu")


def for_products(value: Tensor) -> Tensor:
    """``value`` with what is beyond 2^60 cut to it, so that a sum of its products is finite in float32."""
    return value.clamp(-(2.0**60), 2.0**60)


def at_least_float32(value: Tensor) -> Tensor:
    """``value`` itself, or in float32 where its type is half, bfloat16 or a whole number's."""
    return value if value.dtype in WIDE else value.float()
