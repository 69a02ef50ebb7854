"""Values of a stored state are what they are said to be, or an error by their name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from ganvas.functional.checked_values import items, number, table, text, whole

NOT_WHOLE = [None, True, "1", 1.0, -1, 2**53, 10**5000, [1], torch.ones(())]
NOT_NUMBERS = [None, False, "1", math.nan, math.inf, 2**70, 10**5000, [1.0], torch.ones(())]


@pytest.mark.parametrize(
    ("take", "wrong"),
    [
        (whole, NOT_WHOLE),
        (number, NOT_NUMBERS),
        (text, [None, 1, "x" * 1001]),
        (table, [[], {1: 2}]),
        (items, [{}]),
    ],
)
def test_another_kind_is_refused_by_its_name(take: Callable[..., Any], wrong: list[Any]) -> None:
    for value in wrong:
        with pytest.raises(ValueError, match=r"^mine is ") as error:
            take({"mine": value}, "mine")
        assert len(str(error.value)) < 120
    for nothing in ({}, None, [1], "mine"):
        with pytest.raises(ValueError, match="mine is missing"):
            take(nothing, "mine")


def test_what_fits_is_given_back() -> None:
    state = {"w": 3, "n": 0.5, "i": math.inf, "t": "x", "d": {"a": 1}, "l": [1]}
    assert whole(state, "w") == 3
    assert whole({"w": -1}, "w", -1) == -1
    assert number(state, "n", least=0.5) == 0.5
    assert number(state, "w") == 3
    assert number(state, "i", finite=False) == math.inf
    assert (text(state, "t"), table(state, "d"), items(state, "l")) == ("x", {"a": 1}, [1])
    with pytest.raises(ValueError, match=r"^n is 0\.5, less than 1"):
        number(state, "n", least=1)
