from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ganvas.errors import OptionError
from ganvas.runtime.optimized import check_optimized, optimized

ROWS = [
    {"images": 10, "batch": 1, "evaluation/fid": 5.0, "validation/psnr": 9.0},
    {"images": 20, "batch": 2, "evaluation/fid": 3.0, "validation/psnr": 12.0},
    {"images": 30, "batch": 3, "evaluation/fid": 3.0, "validation/psnr": None},
    {"images": 40, "batch": 4, "evaluation/fid": 4.0, "validation/psnr": 11.0},
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
    ("metric", "mode", "value", "images"),
    [
        ("evaluation/fid", None, 3.0, 20),
        ("evaluation/fid", "max", 5.0, 10),
        ("validation/psnr", "max", 12.0, 20),
        ("validation/psnr", "min", 9.0, 10),
    ],
)
def test_the_best_and_not_the_last(
    run: Path, metric: str, mode: str | None, value: float, images: int
) -> None:
    found = optimized(run, asked(metric, mode))
    assert found == {"metric": metric, "mode": mode or "min", "value": value, "images": images}


def test_what_was_never_reported(run: Path) -> None:
    found = optimized(run, asked("evaluation/kid"))
    assert found is not None
    assert found["value"] is None
    assert found["reported"] == ["evaluation/fid", "validation/psnr"]
    assert optimized(run, asked(None)) is None


@pytest.mark.parametrize(
    ("config", "line"),
    [
        (asked(3), "optimized_metric=3"),
        (asked("evaluation/fid", "best"), "optimized_mode=best: must be min, max"),
        (asked("validation/psnr"), "optimized_mode=null: validation/psnr is no figure"),
    ],
)
def test_bad_words(config: dict[str, Any], line: str) -> None:
    with pytest.raises(OptionError, match=line):
        check_optimized(config)
