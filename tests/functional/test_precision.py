from __future__ import annotations

import pytest
import torch

from ganvas.functional import precision


@pytest.mark.parametrize(
    ("device", "widest", "home"),
    [("cpu", torch.float64, "cpu"), ("cuda:1", torch.float64, "cuda:1"), ("mps", torch.float32, "cpu")],
)
def test_the_widest_type_of_a_device(device: str, widest: torch.dtype, home: str) -> None:
    assert precision.widest_float(device) == widest
    assert precision.widest_float(torch.device(device)) == widest
    assert precision.home_of_float64(device) == torch.device(home)
    assert precision.has_float64(device) == (widest == torch.float64)


def test_what_half_types_are_computed_in() -> None:
    for narrow in (torch.float16, torch.bfloat16):
        assert precision.at_least_float32(torch.ones(3, dtype=narrow)).dtype == torch.float32
    for kind in (torch.float32, torch.float64):
        value = torch.ones(3, dtype=kind)
        assert precision.at_least_float32(value) is value
    assert precision.widened(torch.tensor([True, False])).tolist() == [1.0, 0.0]
    assert precision.widened(torch.ones(1, dtype=torch.float16)).dtype == torch.float64
