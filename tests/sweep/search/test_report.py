from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fake_jobs import FakeJobs, numbers
from PIL import Image

from ganvas.errors import OutputError
from ganvas.sweep.search.report import failed, importance, report_lines, summary, write_report
from ganvas.sweep.search.space import Space, choice, interval
from ganvas.sweep.search.study import StudySource

SPACE = Space((interval("x", 0.0, 1.0), interval("idle", 0.0, 1.0), choice("c", ["1", "2"])))


@pytest.fixture
def played(source: Callable[..., StudySource], jobs: FakeJobs) -> StudySource:
    """24 trials whose value is (x - 0.3)^2; trial 2 failed."""
    made = source(space=SPACE, n_trials=24, sampler="random")
    while (job := made.next()) is not None:
        x = numbers(jobs.overrides[job.index])["x"]
        if job.variant == 2:
            made.ended(job, jobs.end(job, state="failed", error="it broke"))
        else:
            made.ended(job, jobs.end(job, value=(x - 0.3) ** 2))
    return made


def test_what_mattered_mattered(played: StudySource) -> None:
    shares = importance(played.handle, 0)
    assert next(iter(shares)) == "x"
    assert shares["x"] > 0.5
    assert sum(shares.values()) == pytest.approx(1)


def test_the_tables(played: StudySource, tmp_path: Path) -> None:
    lines = report_lines(played.handle)
    assert write_report(played.handle, tmp_path).endswith(f"{tmp_path}/search")
    with (tmp_path / "search" / "trials.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    values = {int(row["trial"]): float(row["m"]) for row in table if row["m"]}
    assert [row["trial"] for row in table] == [str(number) for number in range(24)]
    assert all(
        values[int(row["trial"])] == pytest.approx((float(row["x"]) - 0.3) ** 2) for row in table if row["m"]
    )
    assert (table[2]["state"], table[2]["m"], table[2]["error"]) == ("fail", "", "job 2: it broke")
    found = json.loads((tmp_path / "search" / "search.json").read_text())
    assert found == json.loads(json.dumps(summary(played.handle)))
    best = min(values, key=lambda number: values[number])
    assert (found["best"][0]["number"], found["best"][0]["values"]) == (best, [values[best]])
    assert found["trials"] == {"complete": 23, "fail": 1}
    so_far = [one["best"][0] for one in found["history"]]
    assert so_far == [min(values[n] for n in values if n <= number) for number in range(24)]
    assert failed(played.handle) == [2]
    other = replace(played.handle.spec, owner="another")
    assert failed(replace(played.handle, spec=other)) == []
    assert lines[0] == "study s: 24 trials: 23 complete, 1 fail"
    assert any(line.startswith(f"best trial: {best} (x=") for line in lines)
    assert "trial 2 failed: job 2: it broke" in lines


def test_the_images(played: StudySource, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    write_report(played.handle, tmp_path)
    for name in ("history.png", "importance.png"):
        with Image.open(tmp_path / "search" / name) as image:
            colours = image.convert("RGB").getcolors(1 << 24)
        assert colours is not None
        blue = sum(
            count for count, (r, g, b) in colours if (abs(r - 40) < 20 and abs(g - 125) < 15 and b > 170)
        )
        assert blue > 500, "nothing is drawn"


def test_without_matplotlib_there_are_tables(
    played: StudySource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("optuna.visualization.matplotlib.is_available", lambda: False)
    assert "pip install 'ganvas[plot]'" in write_report(played.handle, tmp_path)
    assert {path.name for path in (tmp_path / "search").iterdir()} == {"trials.csv", "search.json"}


def test_a_disk_that_fails_is_told_by_name(
    played: StudySource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "search.json").write_text("old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError) as raised:
        write_report(played.handle, tmp_path)
    said = "cannot be written (No space left on device); make room; ganvas sweep best writes it again"
    assert str(raised.value) == f"SWEEP={tmp_path}/search: {said}"
    assert [(path.name, path.read_text()) for path in (tmp_path / "search").iterdir()] == [
        ("search.json", "old")
    ]


def test_of_several_objectives_those_that_none_beats(
    source: Callable[..., StudySource], jobs: FakeJobs, tmp_path: Path
) -> None:
    made = source(space=SPACE, n_trials=4, objectives=(("a", "min"), ("b", "max")))
    for a, b in ((1.0, 1.0), (2.0, 2.0), (3.0, 1.5), (0.5, 0.1)):
        job = made.next()
        made.ended(job, jobs.end(job, values={"a": a, "b": b}))
    found = summary(made.handle)
    assert sorted(one["number"] for one in found["best"]) == [0, 1, 3]
    assert [one["best"] for one in found["history"]] == [[1.0, 1.0], [1.0, 2.0], [1.0, 2.0], [0.5, 2.0]]
    assert set(found["importance"]) == {"a", "b"}
    write_report(made.handle, tmp_path)


def test_a_trial_tried_again_stands_once(source: Callable[..., StudySource], jobs: FakeJobs) -> None:
    made = source(n_trials=2)
    first = made.next()
    made.ended(first, jobs.end(first, state="failed"))
    second = made.next()
    made.ended(second, jobs.end(second, value=2.0))
    jobs.results.clear()  # what ``ganvas sweep retry`` does about the job of trial 0
    jobs.end(second, value=2.0)
    again = source(n_trials=2, retry=[0])
    job = again.next()
    assert job == first
    assert again.next() is None
    again.ended(job, jobs.end(job, value=1.0))
    assert again.is_done()
    found = summary(again.handle)
    assert [(one["number"], one["values"]) for one in found["history"]] == [(1, [2.0]), (2, [1.0])]
    assert found["best"][0]["number"] == 2
    assert failed(again.handle) == []
    assert source(n_trials=2, retry=[0]).next() is None, "it went well since"


def test_few_trials_say_nothing_of_importance(source: Callable[..., StudySource], jobs: FakeJobs) -> None:
    made = source(n_trials=3)
    while (job := made.next()) is not None:
        made.ended(job, jobs.end(job, value=float(job.index)))
    assert importance(made.handle, 0) == {}
