from __future__ import annotations

import pytest

from ganvas.errors import OptionError
from ganvas.model.schedule.cosine import Cosine
from ganvas.model.schedule.warmup_cosine import WarmupCosine


def test_it_rises_in_a_line_and_falls_as_a_cosine() -> None:
    schedule, fall = WarmupCosine(1.0, 3.0, 0.5, warmup=50, examples=250), Cosine(3.0, 0.5, 200)
    assert [schedule(n) for n in (0, 25, 50)] == [1.0, 2.0, 3.0]
    assert [schedule(50 + n) for n in (40, 100, 160)] == pytest.approx([fall(n) for n in (40, 100, 160)])
    assert [schedule(n) for n in (250, 10**12)] == [0.5, 0.5]
    assert (schedule.end, schedule.extremes) == (250, (1.0, 3.0, 0.5))


@pytest.mark.parametrize(
    ("option", "value"), [("warmup", 0), ("warmup", 250), ("warmup", 300), ("examples", 0)]
)
def test_options_are_checked(option: str, value: int | None) -> None:
    options = {"warmup": 50, "examples": 250} | {option: value}
    with pytest.raises(OptionError, match=f"{option}={value}"):
        WarmupCosine(1.0, 3.0, 0.5, **options)  # type: ignore[arg-type]


def test_without_an_end_it_rises_and_stays() -> None:
    schedule = WarmupCosine(1.0, 3.0, 0.5, warmup=50, examples=None)
    assert [schedule(n) for n in (0, 25, 50, 10**9)] == [1.0, 2.0, 3.0, 3.0]
