from __future__ import annotations

from ganvas.model.schedule.constant import Constant


def test_it_does_not_move() -> None:
    schedule = Constant(0.3)
    assert [schedule(n) for n in (0, 7, 10**12)] == [0.3] * 3
    assert (schedule.end, schedule.extremes) == (None, (0.3,))
