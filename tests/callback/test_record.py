"""Rows and events of a short run, and of its continuation."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ganvas.callback import record as module
from ganvas.callback.record import Record, read_scalars


def rows(folder: Path) -> list[dict[str, Any]]:
    def no_constant(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line, parse_constant=no_constant) for line in lines]


def test_reports_and_validations_become_rows_and_events(
    tmp_path: Path, fit: Callable[..., Any], autoencoder: Callable[[], Any], events: Callable[[], Any]
) -> None:
    recipe = autoencoder()
    fit(recipe, [Record(run_dir=str(tmp_path))], batches=5)  # one epoch, one validation at its end
    written = rows(tmp_path)
    speeds = [row.pop("speed/examples_per_second") for row in written if "loss/total" in row]
    assert written == [
        {"examples": 4, "batch": 1, "loss/total": 1.0, "loss/nan": None},
        {"examples": 12, "batch": 3, "loss/total": 0.75, "loss/nan": None},
        {"examples": 20, "batch": 5, "loss/total": 0.5, "loss/nan": None},
        {"examples": 20, "batch": 5, "validation/psnr": 2.5},
    ]
    assert all(0 < speed < math.inf for speed in speeds)
    assert len(speeds) == 3
    read = events()
    assert [(e.step, e.value) for e in read.Scalars("loss/total")] == [(4, 1.0), (12, 0.75), (20, 0.5)]
    assert [(e.step, e.value) for e in read.Scalars("validation/psnr")] == [(20, 2.5)]


def test_the_speed_is_examples_over_the_clock(
    tmp_path: Path, fit: Callable[..., Any], autoencoder: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([10.0, 10.5, 14.5, 100.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    recipe = autoencoder()
    callback = Record(run_dir=str(tmp_path))

    class Stand:
        is_global_zero, global_step, loggers, fast_dev_run = True, 0, [], False

    recipe.examples_seen = 100
    callback.on_train_start(Stand(), recipe)  # type: ignore[arg-type]
    for examples in (104, 112):
        recipe.examples_seen, recipe.report = examples, {"loss/total": torch.tensor(1.0)}
        callback.on_train_batch_end(Stand(), recipe, None, None, 0)  # type: ignore[arg-type]
    assert [row["speed/examples_per_second"] for row in rows(tmp_path)] == [8.0, 2.0]


def test_the_newest_value_of_each_tag_is_kept_for_whoever_ranks_by_it(
    tmp_path: Path, fit: Callable[..., Any], autoencoder: Callable[[], Any]
) -> None:
    reported = fit(autoencoder(), [Record(run_dir=str(tmp_path))], batches=5).reported
    assert reported["validation/psnr"] == (20, 2.5)
    assert reported["loss/total"] == (20, 0.5)


def test_scalars_of_any_type_in_their_order() -> None:
    report = {"b": torch.tensor([2.5]), "a": 1e-4, "c": torch.tensor(3), "d": torch.tensor(0.25).double()}
    assert read_scalars(report) == {"b": 2.5, "a": 1e-4, "c": 3.0, "d": 0.25}
    assert list(read_scalars(report)) == list("bacd")
    assert read_scalars({}) == {}


def test_a_step_without_a_report_reads_no_clock(
    tmp_path: Path, autoencoder: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.time, "monotonic", lambda: pytest.fail("work without a log being due"))
    Record(run_dir=str(tmp_path)).on_train_batch_end(None, autoencoder(), None, None, 0)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
