"""A quantizer's part of another program's state dict, held against what is expected there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


def part_of(
    state: Mapping[str, Tensor],
    prefix: str,
    *,
    needed: Sequence[str],
    optional: Sequence[str] = (),
    what: str,
) -> dict[str, Tensor]:
    """The tensors under ``prefix``, by their names without it.

    Raises:
        ValueError: one that is needed is not there, or one that is neither needed nor optional is.
    """
    part = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    under = f" under {prefix!r}" if prefix else ""
    if missing := [name for name in needed if name not in part]:
        raise ValueError(f"this state holds no {what}{under}: {', '.join(missing)} is not there")
    if unknown := [name for name in part if name not in (*needed, *optional)]:
        raise ValueError(f"this {what}{under} holds {', '.join(unknown)}, which nothing here is made of")
    return part


def matrix(value: Tensor, name: str) -> Tensor:
    """A tensor [1, K, D] or [K, D] as a copy float32 [K, D].

    Raises:
        ValueError: it has another shape, as of several codebooks, or holds what is not finite.
    """
    if value.ndim == 3 and value.shape[0] == 1:
        value = value[0]
    if value.ndim != 2:
        raise ValueError(f"{name} of shape {list(value.shape)}: one codebook is [K, D]")
    if not bool(value.isfinite().all()):
        raise ValueError(f"{name} holds numbers that are NaN or infinite")
    return value.detach().to(torch.float32, copy=True)
