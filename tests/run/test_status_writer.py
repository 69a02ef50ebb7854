"""When status.json is written, and what a full disk does to it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ganvas.callback.run_state import RunState, give_state
from ganvas.run import status_writer as module
from ganvas.run.folder.run_folder import RunFolder
from ganvas.run.status_writer import StatusWriter

FINDING = {"name": "light", "examples": 4}


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: seconds[0])
    return seconds


def writer(folder: Path) -> StatusWriter:
    callback = StatusWriter(RunFolder(folder), every_seconds=5.0)
    give_state([callback], RunState())
    return callback


def end_batch(callback: StatusWriter, examples: int, *, first_rank: bool = True) -> None:
    trainer: Any = SimpleNamespace(is_global_zero=first_rank)
    callback.on_train_batch_end(trainer, SimpleNamespace(examples_seen=examples), None, None, 0)


def status(folder: Path) -> dict[str, Any]:
    path = folder / "status.json"
    values: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    values.pop("updated", None)
    return values


def test_it_is_written_every_few_seconds(tmp_path: Path, now: list[float]) -> None:
    callback = writer(tmp_path)
    for second, examples in ((5.0, 8), (5.5, 16), (10.5, 24), (10.6, 32)):
        now[0] = 100.0 + second
        end_batch(callback, examples)
        assert status(tmp_path).get("examples_seen") == {8: None, 16: 16, 24: 16, 32: 32}[examples]


def test_a_finding_is_written_at_once_and_once(tmp_path: Path, now: list[float]) -> None:
    callback = writer(tmp_path)
    end_batch(callback, 4)
    assert status(tmp_path) == {}
    callback.state.findings.append(FINDING)
    end_batch(callback, 8)
    end_batch(callback, 12)
    assert status(tmp_path) == {"examples_seen": 8, "health": [FINDING]}


def test_a_finding_of_the_last_batch_is_written_where_training_fails(
    tmp_path: Path, now: list[float]
) -> None:
    callback = writer(tmp_path)
    trainer: Any = SimpleNamespace(is_global_zero=True)
    callback.on_exception(trainer, None, ValueError())  # type: ignore[arg-type]
    assert status(tmp_path) == {}
    callback.state.findings.append(FINDING)
    callback.on_exception(trainer, None, ValueError())  # type: ignore[arg-type]
    assert status(tmp_path) == {"health": [FINDING]}


def test_other_ranks_write_nothing(tmp_path: Path, now: list[float]) -> None:
    callback = writer(tmp_path)
    now[0] += 60.0
    end_batch(callback, 8, first_rank=False)
    assert status(tmp_path) == {}


def test_a_status_that_cannot_be_written_is_an_event_that_the_next_one_tells(
    tmp_path: Path, now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    callback = writer(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "write_status", _full)
        now[0] += 6.0
        end_batch(callback, 8)
    now[0] += 6.0
    end_batch(callback, 16)
    (event,) = status(tmp_path)["write_errors"]
    assert event["what"] == "status.json"


def _full(folder: RunFolder, **values: Any) -> None:
    raise OSError(28, "No space left on device")
