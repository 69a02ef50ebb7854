from __future__ import annotations

import pytest

from ganvas.errors import OptionError
from ganvas.model.schedule.linear import Linear


def test_it_is_a_line_that_ends() -> None:
    schedule = Linear(2.0, -1.0, 300)
    assert [schedule(n) for n in (0, 100, 200, 300, 301, 10**12)] == [2.0, 1.0, 0.0, -1.0, -1.0, -1.0]
    assert (schedule.end, schedule.extremes) == (300, (2.0, -1.0))


def test_it_stays_until_its_start() -> None:
    schedule = Linear(2.0, 0.0, 300, start=100)
    assert [schedule(n) for n in (0, 100, 150, 250, 300)] == [2.0, 2.0, 1.5, 0.5, 0.0]


def test_its_last_value_is_exact() -> None:
    schedule = Linear(0.1, 0.3, 7)
    assert schedule(7) == 0.3


@pytest.mark.parametrize(
    ("option", "value"), [("examples", -1), ("examples", 0), ("start", -1), ("start", 9)]
)
def test_options_are_checked(option: str, value: int | None) -> None:
    options = {"examples": 9, "start": 0} | {option: value}
    with pytest.raises(OptionError, match=f"{option}={value}"):
        Linear(1.0, 0.0, **options)  # type: ignore[arg-type]


def test_without_an_end_it_stays() -> None:
    schedule = Linear(2.0, 0.0, None)
    assert ([schedule(n) for n in (0, 10**9)], schedule.end) == ([2.0, 2.0], None)
