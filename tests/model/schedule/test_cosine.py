from __future__ import annotations

import math

import pytest

from ganvas.errors import OptionError
from ganvas.model.schedule.cosine import Cosine


def test_it_is_half_a_cosine() -> None:
    schedule = Cosine(2.0e-4, 5.0e-5, 300)
    middle = (2.0e-4 + 5.0e-5) / 2
    third = 5.0e-5 + 1.5e-4 * (1 + math.cos(math.pi / 3)) / 2
    assert [schedule(n) for n in (0, 100, 150)] == pytest.approx([2.0e-4, third, middle], rel=1e-12)
    assert [schedule(n) for n in (300, 10**12)] == [5.0e-5] * 2
    assert schedule(150 + 40) - middle == pytest.approx(middle - schedule(150 - 40), rel=1e-9)


def test_it_rises_too() -> None:
    schedule = Cosine(0.9, 0.99, 10)
    values = [schedule(n) for n in range(12)]
    assert values == sorted(values)
    assert (schedule.end, schedule.extremes) == (10, (0.9, 0.99))


@pytest.mark.parametrize("examples", [-1, 0])
def test_options_are_checked(examples: int) -> None:
    with pytest.raises(OptionError, match=f"examples={examples}"):
        Cosine(1.0, 0.0, examples)


def test_without_an_end_it_stays() -> None:
    schedule = Cosine(2.0, 0.0, None)
    assert ([schedule(n) for n in (0, 10**9)], schedule.end) == ([2.0, 2.0], None)
