"""A study's journal that somebody else wrote: each trial is looked at before anything is made of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_jobs import FakeJobs, numbers

from ganvas.errors import OptionError
from ganvas.sweep.search.check import open_study
from ganvas.sweep.search.report import report_lines, write_report
from ganvas.sweep.search.search_spec import SearchSpec
from ganvas.sweep.search.study import StudySource


@pytest.fixture
def spec(source: Callable[..., StudySource], jobs: FakeJobs, monkeypatch: pytest.MonkeyPatch) -> SearchSpec:
    """Of a study of three trials that are over, in the folder of the jobs."""
    made = source(n_trials=3, sampler="random")
    while (job := made.next()) is not None:
        made.ended(job, jobs.end(job, value=numbers(jobs.overrides[job.index])["x"]))
    monkeypatch.setattr("ganvas.sweep.search.report._draw", lambda *_: False)
    return made.spec


def test_a_sound_study_is_read(spec: SearchSpec, tmp_path: Path) -> None:
    assert "3 complete" in report_lines(open_study(spec, tmp_path))[0]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("values", ["text"]),
        ("values", [float("nan")]),
        ("values", [1.0, 2.0]),
        ("values", None),
        ("values", [10**400]),
        ("user_attr", {"jobs": [["x"]]}),
        ("user_attr", {"jobs": 3}),
        ("user_attr", {"overrides": [1]}),
        ("user_attr", {"repeats": True}),
        ("param_value_internal", "text"),
        ("param_value_internal", [[1]]),
        ("trial_id", "x"),
        ("op_code", "x"),
        ("worker_id", 3),
    ],
)
def test_a_damaged_trial_is_one_line(spec: SearchSpec, tmp_path: Path, key: str, value: Any) -> None:
    path = tmp_path / "study.log"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    there = [line for line in lines if key in line]
    fitting = [line for line in there if not isinstance(value, dict) or line[key].keys() == value.keys()]
    fitting[-1][key] = value
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(OptionError) as refused:
        write_report(open_study(spec, tmp_path), tmp_path)
    assert "put a copy" in str(refused.value) or "name another storage" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_a_trial_says_is_no_formula_and_moves_no_cursor(spec: SearchSpec, tmp_path: Path) -> None:
    path = tmp_path / "study.log"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    (line, *_) = [line for line in lines if "host" in str(line) and line.get("user_attrs")]
    line["user_attrs"]["host"] = "=HYPERLINK(1)\x1b[2J"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    write_report(open_study(spec, tmp_path), tmp_path)
    assert "'=HYPERLINK(1)?[2J" in (tmp_path / "search" / "trials.csv").read_text()
