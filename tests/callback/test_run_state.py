"""What the callbacks of a run share: given to all of them, or one of its own to each that stands alone."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import pytorch_lightning as pl

from ganvas.callback.run_state import RunCallback, RunState, give_state


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
