from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ganvas.errors import OptionError
from ganvas.run.config.optimized import check_optimized, objectives, optimized

ROWS = [
    {"examples": 10, "batch": 1, "evaluation/fid": 5.0, "validation/psnr": 9.0},
    {"examples": 20, "batch": 2, "evaluation/fid": 3.0, "validation/psnr": 12.0},
    {"examples": 30, "batch": 3, "evaluation/fid": 3.0, "validation/psnr": None},
    {"examples": 40, "batch": 4, "evaluation/fid": 4.0, "validation/psnr": 11.0},
]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    text = "".join(json.dumps(row) + "\n" for row in ROWS)
    (tmp_path / "metrics.jsonl").write_text(text + "half a ro")
    (tmp_path / "evaluations.jsonl").write_text(json.dumps({"better": {"fid": "min"}}) + "\n")
    return tmp_path


def asked(metric: Any, mode: Any = None) -> dict[str, Any]:
    return {"optimized_metric": metric, "optimized_mode": mode}


@pytest.mark.parametrize(
    ("metric", "mode", "value", "examples"),
    [
        ("evaluation/fid", None, 3.0, 20),
        ("evaluation/fid", "max", 5.0, 10),
        ("validation/psnr", "max", 12.0, 20),
        ("validation/psnr", "min", 9.0, 10),
    ],
)
def test_the_best_and_not_the_last(
    run: Path, metric: str, mode: str | None, value: float, examples: int
) -> None:
    found = optimized(run, asked(metric, mode))
    assert found == {"metric": metric, "mode": mode or "min", "value": value, "examples": examples}


def test_what_was_never_reported(run: Path) -> None:
    found = optimized(run, asked("evaluation/kid"))
    assert found is not None
    assert found["value"] is None
    assert found["reported"] == ["evaluation/fid", "validation/psnr"]
    assert optimized(run, asked(None)) is None


def test_several(run: Path) -> None:
    found = optimized(run, asked(["evaluation/fid", "validation/psnr"], [None, "max"]))
    first = {"metric": "evaluation/fid", "mode": "min", "value": 3.0, "examples": 20}
    second = {"metric": "validation/psnr", "mode": "max", "value": 12.0, "examples": 20}
    assert found == first | {"also": [second]}
    assert optimized(run, asked(["evaluation/fid"])) == first
    found = optimized(run, asked(["validation/psnr", "evaluation/kid"], ["max", "min"]))
    assert found is not None
    assert found["value"] == 12.0
    assert found["also"][0]["value"] is None
    assert found["also"][0]["reported"] == ["evaluation/fid", "validation/psnr"]


def test_objectives() -> None:
    assert objectives(asked(None)) == []
    assert objectives(asked("evaluation/fid")) == [("evaluation/fid", None)]
    assert objectives(asked(["a", "b"], "max")) == [("a", "max"), ("b", "max")]
    assert objectives(asked(["evaluation/a", "b"], [None, "min"])) == [("evaluation/a", None), ("b", "min")]


def test_a_metric_that_always_has_its_direction(run: Path) -> None:
    (run / "evaluations.jsonl").unlink()
    (run / "metrics.jsonl").write_text(
        '{"examples": 5, "evaluation/accuracy": 0.5}\n{"examples": 6, "evaluation/accuracy": 0.25}\n'
    )
    found = optimized(run, asked("evaluation/accuracy"))
    assert found == {"metric": "evaluation/accuracy", "mode": "max", "value": 0.5, "examples": 5}


@pytest.mark.parametrize(
    ("config", "line"),
    [
        (asked([]), r"optimized_metric=\[\]: must be a scalar"),
        (asked(["a", 3]), "must be a scalar"),
        (asked(["a", "a"], "min"), "names a scalar twice"),
        (asked(["a", "b"], ["min"]), r"optimized_mode=\['min'\]: has 1 entries for 2"),
        (asked("a", ["min", "max"]), "has 2 entries for 1"),
        (asked(["evaluation/a", "b"], [None, None]), "optimized_mode=null: b is no metric"),
        (asked(3), "optimized_metric=3"),
        (asked("evaluation/fid", "best"), "optimized_mode=best: must be min, max"),
        (asked("validation/psnr"), "optimized_mode=null: validation/psnr is no metric"),
    ],
)
def test_bad_words(config: dict[str, Any], line: str) -> None:
    with pytest.raises(OptionError, match=line):
        check_optimized(config)
