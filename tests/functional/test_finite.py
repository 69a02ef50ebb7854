from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest
import torch

from ganvas.functional.finite import non_finite_name


def state(**changes: Any) -> dict[str, Any]:
    good: dict[str, Any] = {
        "state_dict": OrderedDict(weight=torch.ones(3, 2), count=torch.tensor(7)),
        "optimizer_states": [{"state": {0: {"step": torch.tensor(1.0), "exp_avg": torch.zeros(2)}}}],
        "clock": {"images": 3, "name": "run", "ratio": float("nan"), "none": None},
        "betas": (0.5, torch.tensor([1e38, -1e38])),
        "mask": torch.tensor([True]),
        "empty": torch.empty(0),
    }
    return good | changes


def test_a_finite_state_has_no_such_name() -> None:
    assert non_finite_name(state()) is None
    assert non_finite_name({}) is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64, torch.complex64])
def test_one_value_among_many_is_found(value: float, dtype: torch.dtype) -> None:
    tensor = torch.zeros(4, 5, dtype=dtype)
    tensor[3, 2] = value
    assert non_finite_name(state(extra={"a": [tensor]})) == "extra.a.0"


def test_the_first_one_is_named_by_its_path() -> None:
    broken = state()
    broken["optimizer_states"][0]["state"][0]["exp_avg"][1] = torch.nan
    broken["betas"] = (0.5, torch.tensor(torch.inf))
    assert non_finite_name(broken) == "optimizer_states.0.state.0.exp_avg"
    broken["state_dict"]["weight"][2, 1] = -torch.inf
    assert non_finite_name(broken) == "state_dict.weight"
    assert non_finite_name({"betas": broken["betas"]}) == "betas.1"
