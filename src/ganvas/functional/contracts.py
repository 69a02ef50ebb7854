"""What interfaces promise of their methods, checked at one place for all who implement them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from torch import Tensor


def put_contracts(cls: type, **contracts: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Puts each contract, a decorator, around the method of its name where ``cls`` itself defines it.

    For ``__init_subclass__`` of an interface, which so reaches what anybody writes.
    """
    for name, contract in contracts.items():
        if name in vars(cls):
            method = vars(cls)[name]
            setattr(cls, name, wraps(method)(contract(method)))


def unlike(*, any_number: bool = False, **tensors: Tensor) -> ValueError:
    """What to raise for tensors of several shapes, which would be broadcast.

    Args:
        any_number: their numbers of samples, the first dimension, may differ.
        tensors: by the names that they have in the error.
    """
    shapes = " and ".join(f"{name} {list(value.shape)}" for name, value in tensors.items())
    more = " [B, ...], alike in all but the number of samples" if any_number else ""
    return ValueError(f"{shapes}: must be of one shape{more}")
