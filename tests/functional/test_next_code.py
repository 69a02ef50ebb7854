"""Codes drawn from logits: what may be drawn, and how often."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.functional.next_code import Drawing, filtered, pick, uniforms

SHARES = torch.tensor([0.1, 0.4, 0.2, 0.3])
LOGITS = SHARES.log()
NO = -math.inf


def left(**options: Any) -> list[int]:
    return (filtered(LOGITS, Drawing(**options)) > NO).nonzero().flatten().tolist()


def test_what_may_be_drawn() -> None:
    assert left() == [0, 1, 2, 3]
    assert left(top_k=2) == [1, 3]
    assert left(top_p=0.39) == [1]  # it passes 0.39 itself
    assert left(top_p=0.41) == [1, 3]  # the one that crosses stays
    assert left(top_p=0.95) == [0, 1, 2, 3]
    assert left(temperature=0) == [1]
    # the temperature comes first: hot logits are more even, and more codes are needed for the same share
    assert left(top_p=0.51) == [1, 3]
    assert left(top_p=0.51, temperature=100.0) == [1, 2, 3]
    # top_k goes before top_p: of 0.4 and 0.3 alone the first has 4/7
    assert left(top_k=2, top_p=0.57) == [1]
    assert left(top_k=9) == [0, 1, 2, 3]


def test_the_temperature_divides_logits() -> None:
    shares = filtered(LOGITS, Drawing(temperature=0.5)).softmax(-1)
    assert torch.allclose(shares, SHARES**2 / (SHARES**2).sum())


def test_equal_logits_at_the_border_keep_the_lower_index() -> None:
    logits = torch.zeros(4)
    assert (filtered(logits, Drawing(top_k=2)) > NO).tolist() == [True, True, False, False]


def test_a_code_is_picked_where_the_distribution_passes_the_number() -> None:
    places = torch.tensor([0.0, 0.0999, 0.1001, 0.4999, 0.5001, 0.6999, 0.7001, 0.999999])
    assert pick(LOGITS.expand(8, 4), places).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_a_code_without_probability_is_never_picked() -> None:
    logits = torch.tensor([NO, 0.0, NO, 0.0, NO])
    places = torch.tensor([0.0, 0.4999, 0.5, 1 - 1e-16, 1.0])
    assert pick(logits.expand(5, 5), places).tolist() == [1, 1, 3, 3, 3]


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf])
def test_logits_that_are_no_distribution_are_refused(wrong: float) -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0], [0.0, wrong, 2.0], [0.0, 1.0, 2.0]])
    with pytest.raises(OptionError, match=r"^logits=1 of 3 choices: "):
        pick(logits, torch.full((3,), 0.5))
    with pytest.raises(OptionError, match=r"^logits=2 of 2 choices: "):
        pick(torch.full((2, 3), -torch.inf), torch.full((2,), 0.5))


def test_picked_codes_have_the_distribution() -> None:
    numbers = uniforms(3, 0, 20_000)
    counts = torch.bincount(pick(LOGITS.expand(20_000, 4), numbers), minlength=4) / 20_000
    assert torch.allclose(counts, SHARES, atol=0.012)  # 3.5 standard deviations


def test_a_samples_numbers_do_not_depend_on_the_others() -> None:
    assert torch.equal(uniforms(7, 0, 6, 3)[2:5], uniforms(7, 2, 3, 3))
    assert not torch.equal(uniforms(7, 0, 2, 3), uniforms(8, 0, 2, 3))
    assert uniforms(7, 0, 0, 3).shape == (0, 3)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *[("temperature", value) for value in (-0.1, math.nan, math.inf)],
        *[("top_k", value) for value in (0, -3)],
        *[("top_p", value) for value in (0, 1.5, math.nan)],
        *[("guidance", value) for value in (-1, math.nan)],
        ("steps", 0),
    ],
)
def test_numbers_out_of_their_range_are_refused(option: str, value: float) -> None:
    with pytest.raises(OptionError, match=option):
        Drawing(**{option: value})
