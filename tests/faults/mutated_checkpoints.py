"""Every tensor, number and entry of a checkpoint replaced by what ganvas would not write, its hash right.

The checkpoint of a tiny run is walked leaf by leaf: each has its own set of replacements, each table loses
an entry and gets one more. A try survives where the command refuses it in one line and leaves each file as it
was, or where the replacement is harmless: the command ends well, and what it leaves is finite.
"""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

Path_ = tuple[Any, ...]
_HUGE = 2**63 - 1


class Change(NamedTuple):
    """One replacement: of what lies at ``path``, by ``make(it)``; ``Gone`` takes the entry out."""

    path: Path_
    name: str
    make: Callable[[Any], Any]

    @property
    def title(self) -> str:
        return f"{'.'.join(map(str, self.path))}={self.name}".replace("/", "_")


class Gone:
    """In place of a value: the entry is taken out."""


def changes(checkpoint: dict[str, Any]) -> Iterator[Change]:
    """All replacements that there are for a checkpoint."""
    for path, value in _nodes(checkpoint, ()):
        for name, make in _replacements(value):
            yield Change(path, name, make)
        if path and not isinstance(path[-1], int):
            yield Change(path, "gone", lambda _: Gone)


def apply(checkpoint: dict[str, Any], change: Change) -> dict[str, Any]:
    """A checkpoint with the replacement in it; the given one stays as it was."""
    held = copy.deepcopy(checkpoint)
    *parents, last = change.path
    node: Any = held
    for key in parents:
        node = node[key]
    made = change.make(node[last])
    if made is Gone:
        del node[last]
    else:
        node[last] = made
    return held


def _nodes(value: Any, path: Path_) -> Iterator[tuple[Path_, Any]]:
    if path:
        yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _nodes(item, (*path, key))


def _replacements(value: Any) -> list[tuple[str, Callable[[Any], Any]]]:
    if isinstance(value, Tensor):
        return _OF_TENSORS + (_OF_FLOATS if value.is_floating_point() else _OF_COUNTS)
    if isinstance(value, dict):
        return [*_OF_OTHERS, ("a list", lambda d: list(d)), ("one more", lambda d: {**d, "more": 1})]
    if isinstance(value, list | tuple):
        return [*_OF_OTHERS, ("a dict", lambda x: dict(enumerate(x))), ("one more", lambda x: [*x, 7])]
    return _OF_NUMBERS


def _fixed(*values: Any) -> list[tuple[str, Callable[[Any], Any]]]:
    return [(repr(value), lambda _, v=value: v) for value in values]


_OF_OTHERS = _fixed(None, 3, "x")
_OF_NUMBERS = [
    *_fixed(None, "x", True, -1, -0.5, 0.5, _HUGE, 2**70, math.nan, math.inf, 1e308, [], {}),
    ("tensor", lambda _: torch.ones(())),
    ("list of it", lambda x: [x]),
]
_OF_TENSORS: list[tuple[str, Callable[[Any], Any]]] = [
    *_fixed(None, 1, "x", [], {}),
    ("scalar", lambda t: t.new_ones(())),
    ("of one", lambda t: t.new_ones(1)),
    ("of none", lambda t: t.new_ones(0)),
    ("longer", lambda t: torch.cat([t.reshape(-1), t.reshape(-1)[:1]])),
    ("flat", lambda t: t.reshape(-1).clone() if t.ndim != 1 else t[None].clone()),
    ("expanded", lambda t: t.new_ones(()).expand(t.shape)),
    ("strided", lambda t: t.new_ones(*t.shape, 2)[..., 0]),
    ("transposed", lambda t: t.mT.contiguous().mT if t.ndim > 1 else t[:, None].contiguous()),
    ("float64", Tensor.double),
    ("float16", Tensor.half),
    ("int32", Tensor.int),
    ("bool", Tensor.bool),
    ("complex", lambda t: t.to(torch.complex64)),
    ("sparse", lambda t: t.reshape(max(t.numel(), 1)).to_sparse()),
    ("meta", lambda t: t.to("meta")),
    ("quantized", lambda t: torch.quantize_per_tensor(t.float(), 0.1, 0, torch.qint8)),
    ("negated view", lambda t: torch._neg_view(t) if t.is_floating_point() else t.to(torch.uint8)),
]
_OF_FLOATS = [
    (
        repr(value),
        lambda t, v=value: t.clone().index_put_((torch.zeros(1, dtype=int),) * t.ndim, t.new_tensor(v)),
    )
    for value in (math.nan, math.inf, -math.inf, -1.0)
]
_OF_COUNTS = [(repr(value), lambda t, v=value: torch.full_like(t, v)) for value in (-1, _HUGE)]


def drawn(found: list[Change], count: int, seed: int) -> list[Change]:
    """``count`` of them, in their order."""
    chosen = random.Random(seed).sample(range(len(found)), min(count, len(found)))
    return [found[number] for number in sorted(chosen)]
