"""How a check says what it found in place of what it asks."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from ganvas.model.quantizer.interface import Quantizer


class Found(AssertionError):
    """What was found in place of what is asked, in words."""


class NotAsked(Exception):
    """Why this quantizer, or this machine, is not asked."""


def expect(holds: bool | Tensor, found: str) -> None:
    """Raises Found unless it holds."""
    if not holds:
        raise Found(found)


def expect_equal(found: Tensor, asked: Tensor, what: str) -> None:
    """Raises Found unless both are the same numbers of the same shape."""
    same_shape = found.shape == asked.shape
    expect(same_shape, f"{what} of shape {list(found.shape)}, not {list(asked.shape)}")
    if not torch.equal(found, asked):
        differ = int((found != asked).sum())
        raise Found(f"{what} differs at {differ:,} of {found.numel():,} numbers")


def expect_close(found: Any, asked: Any, what: str, *, rtol: float = 1e-4, atol: float = 1e-5) -> None:
    """Raises Found unless tensors are equal within what another order of sums makes of float32."""
    try:
        torch.testing.assert_close(found, asked, rtol=rtol, atol=atol, check_dtype=False)
    except AssertionError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        said = [line for line in lines if line.startswith(("Expected", "Greatest absolute"))]
        raise Found(f"{what} differs ({(said or lines)[0]})") from None


def expect_refused(call: Callable[[], Any], what: str, *words: str) -> None:
    """Raises Found unless the call raises a ValueError whose text has all the words."""
    try:
        call()
    except ValueError as error:
        absent = [word for word in words if word not in str(error)]
        expect(not absent, f"{what} is refused by '{error}', which does not say '{', '.join(absent)}'")
    except Exception as error:
        raise Found(f"{what} raises {type(error).__name__}, no ValueError: {first_line(error)}") from error
    else:
        raise Found(f"{what} is taken")


def state_of(quantizer: Quantizer) -> dict[str, Tensor]:
    """A copy of its parameters and buffers, also of those that no checkpoint holds."""
    both = [*quantizer.named_parameters(), *quantizer.named_buffers()]
    return {name: copy.deepcopy(value.detach()) for name, value in both}


def expect_state(quantizer: Quantizer, before: Mapping[str, Tensor], when: str) -> None:
    """Raises Found unless its state is as it was."""
    now = state_of(quantizer)
    expect(now.keys() == before.keys(), f"{when} it has other parameters or buffers than before")
    moved = [name for name, value in now.items() if not _is_same(value, before[name])]
    expect(not moved, f"{when} {', '.join(moved)} differs")


def _is_same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.equal(one, other)


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [""])[0]
