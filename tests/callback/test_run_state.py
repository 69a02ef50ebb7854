"""What callbacks share: the run's state, given to all or one of its own, and the times at which some act."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl

from ganvas.callback.agenda import next_early
from ganvas.callback.run_state import PeriodicCallback, RunCallback, RunState, give_state
from ganvas.errors import OptionError


def test_callbacks_are_given_one_state_and_others_are_left_alone() -> None:
    first, second, foreign = RunCallback(), RunCallback(), pl.Callback()
    state = RunState(max_examples=64)
    give_state([first, foreign, second], state)
    assert first.state is second.state is state
    assert not hasattr(foreign, "state")


def test_a_callback_alone_has_a_state_of_its_own() -> None:
    first, second = RunCallback(), RunCallback()
    first.state.findings.append({"name": "x"})
    assert first.state is first.state
    assert first.state.findings
    assert second.state == RunState(write_errors=second.state.write_errors)


def test_an_os_error_becomes_an_event_that_ends_when_it_works_again() -> None:
    state = RunState()
    for works in (True, False, False, True, False):
        with state.tolerate_write_errors("samples"):
            if not works:
                raise OSError(28, "No space left on device")
    with state.tolerate_write_errors("metrics.jsonl"):
        raise PermissionError(13, "Permission denied")
    events = state.write_errors.events
    assert [(event["what"], event["until"] is None) for event in events] == [
        ("samples", False),
        ("samples", True),
        ("metrics.jsonl", True),
    ]


def test_other_errors_pass() -> None:
    with pytest.raises(ValueError, match="ours"), RunState().tolerate_write_errors("samples"):
        raise ValueError("ours")


def test_a_row_that_waits_comes_with_the_next_one_whoever_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "metrics.jsonl"
    first, second = RunCallback(), RunCallback()
    give_state([first, second], RunState())
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", _full)
        first.state.append_row(path, {"examples": 1})
    (event,) = first.state.write_errors.events
    assert (event["what"], event["until"]) == ("metrics.jsonl", None)
    second.state.append_row(path, {"examples": 2})
    second.state.append_row(tmp_path / "other.jsonl", {"examples": 3})
    assert [json.loads(line) for line in path.read_text().splitlines()] == [{"examples": 1}, {"examples": 2}]
    assert event["until"] is not None


def _full(handle: int, data: bytes) -> int:
    raise OSError(28, "No space left on device")


class Noting(PeriodicCallback):
    moment = "noted_at"

    def __init__(self, *options: int) -> None:
        super().__init__(*options)
        self.times: list[int] = []

    def act(self, trainer: Any, pl_module: Any) -> None:
        self.times.append(self.acted_at)


def train(callback: Noting, points: Sequence[int], *, stopped: bool = False, begins: int = 0) -> None:
    """Batches that end after so many examples, as a Trainer would tell of them."""
    recipe = SimpleNamespace(examples_seen=begins)
    trainer: Any = SimpleNamespace(max_steps=-1, global_step=len(points), interrupted=stopped)
    callback.on_train_start(trainer, recipe)
    for recipe.examples_seen in points:
        callback.on_train_batch_end(trainer, recipe, None, None, 0)
    callback.on_train_end(trainer, recipe)


def test_times_come_early_at_1_2_5_10_and_so_on_then_at_the_interval_and_the_end() -> None:
    """Recomputed by a walk through all counts of examples, batches of one hundred."""
    wanted = [1000 * 10**power * factor for power in range(4) for factor in (1, 2, 5)]
    for every in (100_000, 30_000, 1000, 700):
        callback = Noting(every, 1000)
        train(callback, range(100, 250_001, 100))
        early = [one for one in wanted if one < every]
        times = [*early, *range(every, 250_001, every)]
        assert callback.times == (times if times[-1] == 250_000 else [*times, 250_000])
    for options in ((0, 0), (0, 1000)):
        callback = Noting(*options)
        train(callback, range(100, 2501, 100))
        assert callback.times == [2500], "the end alone"
        assert Noting(*options).next_due().examples == math.inf
    assert next_early(50_000, 0) == math.inf


@pytest.mark.parametrize("options", [(64,), (100, 7), (0,), (1000, 0), (30, 30)])
def test_a_resume_after_any_batch_acts_at_the_same_times_and_changes_no_state(
    options: tuple[int, ...],
) -> None:
    points = list(range(13, 274, 13))
    whole = Noting(*options)
    train(whole, points)
    for stop in range(1, len(points)):
        first, second, third = (Noting(*options) for _ in range(3))
        train(first, points[:stop], stopped=True)
        second.load_state_dict(first.state_dict())
        train(second, [], stopped=True, begins=points[stop - 1])  # stopped again before its first batch
        assert second.state_dict() == first.state_dict(), stop
        third.load_state_dict(second.state_dict())
        train(third, points[stop:], begins=points[stop - 1])
        assert first.times + second.times + third.times == whole.times, stop
        assert third.state_dict() == whole.state_dict() == {"noted_at": 273}


def test_what_was_due_before_it_began_is_not_made_up_for() -> None:
    callback = Noting(100, 7)  # of a checkpoint that knows no such callback
    train(callback, range(510, 701, 10), begins=500)
    assert callback.times == [600, 700]
    callback = Noting(100)  # whose interval was longer
    callback.load_state_dict({"noted_at": 0})
    train(callback, range(510, 651, 10), begins=500, stopped=True)
    assert callback.times == [600]


def test_an_end_without_a_batch_since_it_acted_brings_nothing() -> None:
    callback = Noting(50)
    train(callback, range(10, 101, 10))
    assert callback.times == [50, 100]


@pytest.mark.parametrize(("option", "value"), [("every_examples", -1), ("first_examples", -1)])
def test_bad_times(option: str, value: int) -> None:
    with pytest.raises(OptionError, match=f"^{option}={value}: must be 0"):
        Noting(*(value, 0) if option == "every_examples" else (0, value))


@pytest.mark.parametrize("state", [{}, {"noted_at": -2}, {"noted_at": 1.0}, {"shown_at": 3}])
def test_a_time_that_nothing_wrote_is_refused(state: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="noted_at"):
        Noting(1).load_state_dict(state)
