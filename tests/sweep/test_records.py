from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ganvas.run.folder.run_folder import RunFolder
from ganvas.sweep.interface import Job
from ganvas.sweep.manifest import Manifest
from ganvas.sweep.records import Record, result_of
from ganvas.sweep.summary import ranking

DONE = {"began": "x", "pid": 1, "host": "h", "ended": "y", "code": 0}
BEST = {"metric": "evaluation/fid", "mode": "min", "value": 1.5, "examples": 64}
JOB = Job(0, "key", "000_x", ["seed=1"], 0)


def result(folder: Path, summary: Any, **values: Any) -> Any:
    (folder / "jobs").mkdir(exist_ok=True)
    record = {"attempts": [DONE], "summary": summary, "error": None} | values
    (folder / "jobs" / "000.json").write_text(json.dumps(record))
    return result_of(Manifest(folder, {}), JOB)


def test_a_sound_record(tmp_path: Path) -> None:
    found = result(tmp_path, {"examples_seen": 640, "metrics": {"fid": None}, "optimized": BEST})
    assert (found.state, found.examples_seen, found.metrics, found.optimized) == (
        "finished",
        640,
        {"fid": None},
        BEST,
    )


@pytest.mark.parametrize(
    ("summary", "said"),
    [
        ({"metrics": {"fid": "text"}}, "its summary is of another kind"),
        ({"metrics": {"fid": True}}, "its summary is of another kind"),
        ({"metrics": ["fid"]}, "its summary is of another kind"),
        ({"examples_seen": -1}, "its summary is of another kind"),
        ({"optimized": BEST | {"value": float("nan")}}, "its summary is of another kind"),
        ({"optimized": {"value": 1.0}}, "its summary is of another kind"),
        ([], "its summary is of another kind"),
    ],
)
def test_a_damaged_record_counts_for_nothing_and_says_so(tmp_path: Path, summary: Any, said: str) -> None:
    found = result(tmp_path, summary)
    assert (found.state, found.optimized, found.metrics) == ("broken", None, {})
    assert found.error == f"its jobs/000.json is damaged ({said}); put a copy back"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"attempts": [{}]}', '{"attempts": 1}', "\0", '{"a": 1e'])
def test_a_job_with_a_damaged_record_is_begun_again(tmp_path: Path, text: str) -> None:
    (tmp_path / "jobs").mkdir()
    record = Record(tmp_path, 0)
    record.path.write_text(text)
    with pytest.raises(ValueError, match=r"."):
        record.read()
    record.begin()
    (attempt,) = record.read()["attempts"]
    assert "code" not in attempt
    record.path.write_text(text)  # damaged while the attempt ran: its end is written all the same
    record.end(0, RunFolder(tmp_path / "000_x"), None)
    assert record.read()["attempts"][0]["code"] == 0


def test_the_records_of_another_metric_are_not_ranked_with_the_others(tmp_path: Path) -> None:
    from dataclasses import replace

    one = result(tmp_path, {"optimized": BEST})
    high = replace(one, optimized={"metric": "evaluation/psnr", "mode": "max", "value": 0.1, "examples": 1})
    jobs = [replace(JOB, index=index, variant=index) for index in range(3)]
    ranked = ranking(list(zip(jobs, [high, one, one], strict=True)))
    assert [row["variant"] for row in ranked] == [1, 2]
