"""Damage to what torch.save holds: tensors of another shape, type, layout, value; missing and odd entries."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from mutate import plain

_TYPES = (torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool, torch.complex64)


def damaged_tensor(value: Tensor, draws: random.Random) -> Any:
    """Another tensor in its place, or none."""
    size = value.numel()
    kind = draws.randrange(13)
    floats = value.is_floating_point()
    made: dict[int, Any] = {
        0: lambda: torch.tensor(draws.choice((0, 1.0, float("nan"), 2**62))),
        1: lambda: value.to(draws.choice(_TYPES)),
        2: lambda: value.reshape(-1)[: draws.randrange(size + 1)],
        3: lambda: torch.cat([value.reshape(-1), value.reshape(-1)]),
        4: lambda: _with_one(value, draws.choice((float("nan"), float("inf"), -1e38)) if floats else -1),
        5: lambda: value.reshape(-1)[:1].expand(draws.choice((size, 10**9))),
        6: lambda: value.transpose(0, -1) if value.dim() > 1 else value[None],
        7: lambda: value.to_sparse() if value.dim() else value,
        8: lambda: torch.empty(value.shape, dtype=value.dtype, device="meta"),
        9: lambda: torch.nn.Parameter(value.clone()) if floats else value[..., None],
        10: lambda: torch.empty((0, *value.shape), dtype=value.dtype),
        11: lambda: value * draws.choice((0, -1, 10**6)) if floats else value + draws.choice((1, -1, 2**40)),
        12: lambda: _quantized(value) if floats else plain.odd_value(draws),
    }
    try:
        return made[kind]()
    except (RuntimeError, TypeError, IndexError):
        return plain.odd_value(draws)


def _with_one(value: Tensor, odd: float) -> Tensor:
    changed = value.clone()
    if changed.numel():
        changed.view(-1)[-1] = odd
    return changed


def _quantized(value: Tensor) -> Tensor:
    return torch.quantize_per_tensor(value.float(), 0.1, 0, torch.qint8)


def places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) of dicts and lists inside of each other."""
    items: Any = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in list(items):
        yield tree, key
        yield from places(value)


def damaged(tree: Any, draws: random.Random) -> Any:
    """A copy of a checkpoint's content with one to three changes."""
    tree = copy.deepcopy(tree)
    if draws.random() < 0.02:
        return plain.odd_value(draws)
    for _ in range(draws.choice((1, 1, 1, 2, 3))):
        there = list(places(tree))
        if not there:
            break
        tensors = [(owner, key) for owner, key in there if isinstance(owner[key], Tensor)]
        if tensors and draws.random() < 0.6:
            owner, key = draws.choice(tensors)
            owner[key] = damaged_tensor(owner[key], draws)
        else:
            _change(there, draws)
    return tree


def _change(there: list[tuple[Any, Any]], draws: random.Random) -> None:
    owner, key = draws.choice(there)
    other, name = draws.choice(there)
    kind = draws.randrange(7)
    if kind == 0:
        del owner[key]
    elif kind in (1, 2):
        owner[key] = plain.odd_value(draws)
    elif kind == 3:
        owner[key], other[name] = other[name], owner[key]
        if owner[key] is owner or other[name] is other:
            owner[key] = None
    elif kind == 4 and isinstance(owner, dict):
        owner[draws.choice((0, -1, 99, "x", f"{key}.0", None, 1.5))] = owner[key]
    elif kind == 5 and isinstance(owner[key], int | float) and not isinstance(owner[key], bool):
        owner[key] = draws.choice((*plain.ODD_NUMBERS, -owner[key], owner[key] + 1))
    else:
        owner[key] = draws.choice(([owner[key]], {"a": owner[key]}, (owner[key],), str(key), None))
