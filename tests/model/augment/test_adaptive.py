from __future__ import annotations

import copy
import math

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.augment.apa import APA
from ganvas.model.schedule.linear import Linear


def probability(augment: APA) -> float:
    return float(augment.report()["augment/p"])


def after(augment: APA, signs: list[float], examples: int = 50) -> list[float]:
    found = []
    for sign in signs:
        augment.observe(torch.tensor(sign), examples)
        found.append(probability(augment))
    return found


def test_p_rises_by_examples_over_adapt_examples_after_each_interval() -> None:
    augment = APA(p=0.25, interval=4, adapt_examples=1_000)
    assert after(augment, [0.7, 0.7, 0.7]) == [0.25] * 3
    assert after(augment, [0.7]) == pytest.approx([0.45])  # 4 batches of 50
    assert after(augment, [-1.0, 0.9, 0.9, 0.9]) == pytest.approx([0.45, 0.45, 0.45, 0.25])
    # The mean decides, not the last sign, and weighs batches by their size.
    augment.observe(torch.tensor(1.0), 150)
    assert after(augment, [0.3, 0.3, 0.3]) == pytest.approx([0.25, 0.25, 0.55])


def test_it_is_the_papers_rule() -> None:
    draw = torch.Generator().manual_seed(2)
    signs = (torch.rand(100, generator=draw) * 2 - 0.9).clamp(max=1).tolist()
    augment, p, block = APA(p=0.4, target=0.1, interval=3, adapt_examples=5_000), 0.4, []
    for sign in signs:
        hits = round((1 + sign) / 2 * 64)  # of 64 samples
        mean = (2 * hits - 64) / 64
        augment.observe(torch.tensor(mean), 64)
        block.append(mean)
        if len(block) == 3:
            step = 64 * 3 / 5_000
            p = min(max(p + math.copysign(step, sum(block) / 3 - 0.1), 0.0), 1.0)
            block = []
        assert probability(augment) == pytest.approx(p, abs=1e-6)
    assert p not in (0.0, 0.4, 1.0)


def test_p_stays_within_0_and_1() -> None:
    augment = APA(p=0.95, interval=1, adapt_examples=1_000)
    assert after(augment, [1.0, 1.0, 1.0]) == pytest.approx([1.0, 1.0, 1.0])
    assert after(augment, [0.59] * 25)[-1] == 0.0
    assert after(augment, [1.0]) == pytest.approx([0.05]), "it does not remember how far below it was"


def test_a_step_that_was_not_finite_tells_nothing() -> None:
    augment = APA(p=0.5, interval=2, adapt_examples=1_000)
    assert after(augment, [1.0, math.nan]) == pytest.approx([0.5, 0.55])
    assert after(augment, [math.nan, math.nan]) == pytest.approx([0.55, 0.55])
    assert after(augment, [0.0, 0.0]) == pytest.approx([0.55, 0.45])


def test_its_state_goes_on_in_the_middle_of_an_interval() -> None:
    signs = [0.9, 0.1, 0.8, 0.7, 0.95, 0.2, 0.3, 0.99, 0.1, 0.6]
    whole, first = (APA(p=0.3, adapt_examples=2_000) for _ in range(2))
    expected = after(whole, signs)
    assert after(first, signs[:6]) == expected[:6]
    second = APA(p=0.0, adapt_examples=2_000)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert after(second, signs[6:]) == expected[6:]


def test_p_does_not_depend_on_the_float_type() -> None:
    whole, half = (
        APA(p=0.3, interval=1, adapt_examples=100_000),
        APA(p=0.3, interval=1, adapt_examples=100_000),
    )
    half.to(torch.bfloat16)
    assert after(half, [1.0] * 9) == after(whole, [1.0] * 9)
    assert probability(half) == pytest.approx(0.3 + 9 * 50 / 100_000, abs=1e-7)


def test_what_does_not_adapt_has_no_state() -> None:
    augment = APA(p=0.3, adapt=False)
    assert not augment.adapts
    assert APA().adapts
    assert after(augment, [1.0] * 8) == pytest.approx([0.3] * 8)
    assert not augment.state_dict()


def test_a_schedule_moves_p() -> None:
    augment = APA(p=Linear(first=0.0, last=0.5, examples=100), adapt=False)
    found = []
    for seen in (0, 20, 100, 900):
        augment.move_numbers(seen)
        found.append(probability(augment))
    assert found == pytest.approx([0.0, 0.1, 0.5, 0.5])


def test_what_a_run_is_too_short_for() -> None:
    assert APA(interval=4, adapt_examples=1000).out_of_reach(4, 100) == []
    assert APA(interval=4, adapt_examples=1000, p=0.05).out_of_reach(4, 50) == []
    assert APA(adapt=False, p=0.3, interval=4).out_of_reach(3, 60) == []
    (line,) = APA(interval=4, adapt_examples=1000).out_of_reach(3, 900)
    assert line.startswith(
        "interval=4: p moves first after so many discriminator steps, and the run ends after 3"
    )
    (line,) = APA(adapt_examples=500_000).out_of_reach(100, 6400)
    assert line.startswith("adapt_examples=500000: p can rise to 0.013 in the 6,400 examples")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"p": -0.1}, "p"),
        ({"p": 1.1}, "p"),
        ({"p": math.nan}, "p"),
        ({"p": 0.0, "adapt": False}, "p"),
        ({"p": Linear(0.0, 1.5, 100), "adapt": False}, "p"),
        ({"p": Linear(0.0, 0.5, 100)}, "adapt"),
        ({"target": 1.0}, "target"),
        ({"target": -1.0}, "target"),
        ({"interval": 0}, "interval"),
        ({"adapt_examples": 0}, "adapt_examples"),
    ],
)
def test_options_are_checked(options: dict[str, float], named: str) -> None:
    with pytest.raises(OptionError) as error:
        APA(**options)
    assert error.value.option == named
