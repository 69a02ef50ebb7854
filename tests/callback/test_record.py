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
from ganvas.callback.record import Record, append_row, drop_later_rows, read_scalars


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
    speeds = [row.pop("speed/images_per_second") for row in written if "loss/total" in row]
    assert written == [
        {"images": 4, "batch": 1, "loss/total": 1.0, "loss/nan": None},
        {"images": 12, "batch": 3, "loss/total": 0.75, "loss/nan": None},
        {"images": 20, "batch": 5, "loss/total": 0.5, "loss/nan": None},
        {"images": 20, "batch": 5, "validation/psnr": 2.5},
    ]
    assert all(0 < speed < math.inf for speed in speeds)
    assert len(speeds) == 3
    read = events()
    assert [(e.step, e.value) for e in read.Scalars("loss/total")] == [(4, 1.0), (12, 0.75), (20, 0.5)]
    assert [(e.step, e.value) for e in read.Scalars("validation/psnr")] == [(20, 2.5)]


def test_the_speed_is_images_over_the_clock(
    tmp_path: Path, fit: Callable[..., Any], autoencoder: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([10.0, 10.5, 14.5, 100.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    recipe = autoencoder()
    callback = Record(run_dir=str(tmp_path))

    class Stand:
        is_global_zero, global_step, loggers, fast_dev_run = True, 0, [], False

    recipe.images_seen = 100
    callback.on_train_start(Stand(), recipe)  # type: ignore[arg-type]
    for images in (104, 112):
        recipe.images_seen, recipe.report = images, {"loss/total": torch.tensor(1.0)}
        callback.on_train_batch_end(Stand(), recipe, None, None, 0)  # type: ignore[arg-type]
    assert [row["speed/images_per_second"] for row in rows(tmp_path)] == [8.0, 2.0]


def test_a_continuation_drops_the_rows_that_come_again(
    tmp_path: Path, fit: Callable[..., Any], autoencoder: Callable[[], Any]
) -> None:
    for images in (4, 8, 12, 16):
        append_row(tmp_path / "metrics.jsonl", {"images": images, "loss/total": 7.0})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"images": 5, "lo')  # torn by a kill
    recipe = autoencoder()
    recipe.images_seen = 8
    fit(recipe, [Record(run_dir=str(tmp_path))], batches=1)
    assert [(row["images"], row["loss/total"]) for row in rows(tmp_path)] == [(4, 7.0), (8, 7.0), (12, 1.0)]


def test_a_file_without_later_rows_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    append_row(path, {"images": 4})
    inode = path.stat().st_ino
    drop_later_rows(path, 4)
    assert path.stat().st_ino == inode
    drop_later_rows(path, 3)
    assert path.read_text() == ""
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.jsonl"]


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
