"""Numbers of parts that move with the clock, whoever moves them."""

from __future__ import annotations

import pytest

from ganvas.errors import OptionError
from ganvas.functional.schedule import Scheduled, require_examples
from ganvas.model.schedule.linear import Linear
from ganvas.model.schedule.warmup_cosine import WarmupCosine


class Part(Scheduled):
    strength: float
    other: float

    def __init__(self, strength: float | Linear | WarmupCosine, other: float | Linear = 3.0) -> None:
        self.set_number("strength", strength, lambda value: 0 < value < 5, "must be in (0, 5); mend it")
        self.set_number("other", other, lambda value: value > 0, "must be positive")


def test_a_plain_number_stays() -> None:
    part = Part(2.0)
    part.move_numbers(1000)
    assert (part.strength, part.other, part.schedules) == (2.0, 3.0, {})


def test_a_schedule_begins_at_its_start_and_moves() -> None:
    part, still = Part(Linear(1.0, 4.0, 100), other=Linear(5.0, 1.0, 50)), Part(2.0)
    assert (part.strength, part.other) == (1.0, 5.0)
    part.move_numbers(25)
    assert (part.strength, part.other) == (1.75, 3.0)
    assert (still.strength, set(part.schedules)) == (2.0, {"strength", "other"})


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (5.0, "5.0"),
        (Linear(0.0, 4.0, 10), "0.0"),
        (Linear(1.0, 6.0, 10), "6.0"),
        (WarmupCosine(1.0, 7.0, 2.0, 5, 10), "7.0"),
    ],
)
def test_every_value_on_the_way_is_checked(value: float | Linear | WarmupCosine, shown: str) -> None:
    with pytest.raises(OptionError, match=rf"strength={shown}: must be in \(0, 5\)"):
        Part(value)


@pytest.mark.parametrize("span", [0, -3])
def test_a_span_is_at_least_one_example(span: int) -> None:
    with pytest.raises(OptionError, match=f"examples={span}"):
        require_examples("examples", span)


def test_a_strength_may_begin_or_end_at_nothing() -> None:
    part = Part(1.0)
    part.set_strength("other", Linear(2.0, 0.0, 10), "must be positive")
    assert part.other == 2.0
    part.move_numbers(10)
    assert part.other == 0.0
    part.set_strength("other", Linear(0.0, 2.0, 10), "must be positive")
    for value in (
        0.0,
        -1.0,
        Linear(0.0, 0.0, 10),
        Linear(1.0, -1.0, 10),
        WarmupCosine(0.0, -1.0, 0.0, 5, 10),
    ):
        with pytest.raises(OptionError, match=r"other=-?[01]\.0: must be positive"):
            part.set_strength("other", value, "must be positive")
