"""What a history keeps of a run."""

from __future__ import annotations

import json
import math

from ganvas.callback.detectors.evidence.history import History


def test_the_newest_and_the_first_values() -> None:
    history = History(since=100)
    for examples in range(0, 200, 10):
        history.add(examples, {"a": float(examples), "b/c": -1.0})
    assert history.last("a", 3) == [170.0, 180.0, 190.0]
    assert history.last("a", 10) == [100.0 + 10 * step for step in range(10)]
    assert history.last("a", 11) == [], "what came before the warm-up is not among the newest"
    assert history.last("none", 1) == []
    assert history.first("a") == 0.0
    assert history.early("a") == 35.0  # of 0, 10 ... 70
    assert history.first("none") is history.early("none") is None
    assert history.tags("b/") == ["b/c"]


def test_it_forgets_what_no_window_needs() -> None:
    history = History()
    for step in range(1000):
        history.add(step, {"a": float(step)})
    assert history.last("a", History.longest) == [float(step) for step in range(1000 - 64, 1000)]
    assert history.last("a", History.longest + 1) == []
    assert len(json.dumps(history.state_dict())) < 1000


def test_what_is_not_finite_is_left_out() -> None:
    history = History()
    for value in (1.0, math.nan, math.inf, 2.0):
        history.add(0, {"a": value})
    assert history.last("a", 2) == [1.0, 2.0]
    assert history.early("a") == 1.5


def test_the_newest_value_is_known_before_the_warm_up_and_may_be_of_the_end() -> None:
    history = History(since=100)
    history.add(10, {"a": 3.0})
    assert (history.newest("a"), history.newest("b")) == (3.0, None)
    assert history.last("a", 1) == []
    history.add(120, {"a": 4.0})
    history.note({"a": 5.0, "b": 6.0, "c": math.nan})
    assert (history.newest("a"), history.newest("b"), history.newest("c")) == (5.0, 6.0, None)
    assert (history.last("a", 1), history.tags("b")) == ([4.0], []), "the end is no measurement of the run's"
    again = History()
    again.load_state_dict(json.loads(json.dumps(history.state_dict())))
    assert again.newest("b") == 6.0


def test_it_travels_as_plain_values() -> None:
    history, again = History(), History()
    for step in range(70):
        history.add(step, {"a": step / 7, "b": 0.0})
    again.load_state_dict(json.loads(json.dumps(history.state_dict())))
    for one in (history, again):
        one.add(70, {"a": 5.0})
    assert again.last("a", 64) == history.last("a", 64)
    assert (again.early("a"), again.first("a")) == (history.early("a"), history.first("a"))
