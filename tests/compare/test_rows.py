from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from forged_runs import PROTOCOL, evaluation, forge

from ganvas.compare.rows import RunMetrics, flatten, read_metrics, shown
from ganvas.run.folder.run_folder import RunFolder


def read(folder: Path) -> RunMetrics:
    return read_metrics(RunFolder(folder))


def test_rows_oldest_first(tmp_path: Path) -> None:
    run = read(forge(tmp_path / "a", seed=7, rows=[evaluation(3.0, examples=5), evaluation(2.0, examples=9)]))
    assert [(row.examples, row.metrics) for row in run.rows] == [(5, {"fid": 3.0}), (9, {"fid": 2.0})]
    assert (run.name, run.seed, run.problems) == ("a", 7, [])


def test_a_protocol_is_flattened_to_dotted_keys() -> None:
    flat, parts = flatten(
        {"b": {"x": 1, "deep": {"y": None}}, "a": [1, "2"], "examples_seen": 9, "empty": {}}
    )
    assert flat == (("a", '[1, "2"]'), ("b.deep.y", "null"), ("b.x", "1"), ("empty", "{}"))
    assert parts == ()
    assert flatten({"n": 2000.0}) == flatten({"n": 2000})
    assert flatten({"n": 1}) != flatten({"n": True}) != flatten({"n": "1"})
    assert [shown(value) for value in ('"pixels"', "null", "2000", None)] == [
        "pixels",
        "null",
        "2000",
        "absent",
    ]


def test_a_metrics_part_of_a_protocol_belongs_to_its_metrics(tmp_path: Path) -> None:
    metrics = {
        "fid": {"rank_deficient": False, "metrics": ["fid"]},
        "neighbours": {"k": 5, "deep": {"x": 1}, "metrics": ["precision", "recall"]},
        "odd": {"y": 2},
    }
    row = evaluation(1.0, precision=2.0, protocol={"split": "val", "metrics": metrics})
    row["better"] = {"fid": "min", "precision": "max", "recall": "max", "psnr": "up"}
    (read,) = read_metrics(RunFolder(forge(tmp_path / "a", rows=[row]))).rows
    shared = (("metrics.odd.y", "2"), ("split", '"val"'))
    own = (("metrics.neighbours.deep.x", "1"), ("metrics.neighbours.k", "5"))
    assert read.protocol("fid") == (("metrics.fid.rank_deficient", "false"), *shared)
    assert read.protocol("recall") == (*own, *shared)
    assert read.protocol("other") == shared
    assert len(read.protocol()) == 5
    assert read.better == {"fid": "min", "precision": "max"}


@pytest.mark.parametrize("key", ["examples_seen", "checkpoint"])
def test_which_weights_were_judged_is_no_difference_of_protocol(key: str) -> None:
    assert flatten(PROTOCOL | {key: 5}) == flatten(PROTOCOL)
    assert flatten(PROTOCOL | {"features": {key: 5}}) != flatten(PROTOCOL | {"features": {key: 6}})


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[1]",
        "3",
        "null",
        '{"examples": 3}',
        '{"examples": true, "metrics": {"fid": 1}, "protocol": {}}',
        '{"examples": -1, "metrics": {"fid": 1}, "protocol": {}}',
        '{"examples": "3", "metrics": {"fid": 1}, "protocol": {}}',
        '{"examples": 3, "metrics": [1], "protocol": {}}',
        '{"examples": 3, "metrics": {"fid": "1"}, "protocol": {}}',
        '{"examples": 3, "metrics": {"fid": true}, "protocol": {}}',
        '{"examples": 3, "metrics": {}, "protocol": {}}',
        '{"examples": 3, "metrics": {"fid": 1}}',
        '{"examples": 3, "metrics": {"fid": 1}, "protocol": [1]}',
        '{"examples": 3, "metrics": {"fid": 1}, "protocol": ' + '{"a":' * 40 + "1" + "}" * 41,
        "[" * 100_000,
        "9" * 5000,
        '{"examples": ' + "9" * 30 + ', "metrics": {"fid": 1}, "protocol": {}}',
    ],
)
def test_what_is_no_row_is_skipped_with_a_word(line: str, tmp_path: Path) -> None:
    run = read(forge(tmp_path / "a", rows=[line, evaluation(2.0)]))
    assert [row.metrics for row in run.rows] == [{"fid": 2.0}]
    (word,) = run.problems
    assert "1 " in word
    assert "skipped" in word


def test_numbers_that_are_not_finite_are_kept_as_such(tmp_path: Path) -> None:
    line = json.dumps(evaluation(None, x=math.inf, y=math.nan))
    beyond = line.replace("Infinity", "1" + "0" * 400)
    found = read(forge(tmp_path / "a", rows=[line, beyond]))
    (row,) = found.rows
    assert list(row.metrics) == ["fid", "x", "y"]
    assert all(math.isnan(value) for value in row.metrics.values())
    assert found.problems == ["1 lines of evaluations.jsonl are not JSON; skipped"]


def test_files_that_are_no_file_of_the_run_are_not_read(tmp_path: Path) -> None:
    forge(tmp_path / "b")
    run = forge(tmp_path / "a", rows=[])
    (run / "evaluations.jsonl").unlink()
    assert (read(run).rows, read(run).problems) == ([], [])
    (run / "evaluations.jsonl").symlink_to(tmp_path / "b" / "evaluations.jsonl")
    assert "no file of this run" in read(run).problems[0]
    (run / "evaluations.jsonl").unlink()
    (run / "evaluations.jsonl").mkdir()
    assert read(run).rows == []


def test_a_file_over_the_limit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganvas.compare.rows.MAX_BYTES", 10)
    run = read(forge(tmp_path / "a"))
    assert run.rows == []
    assert "more than" in run.problems[0]
