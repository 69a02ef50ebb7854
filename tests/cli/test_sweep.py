from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from ganvas.cli.sweep import _row, _write_csv
from ganvas.errors import OptionError


def job(folder: Path, code: object, status: dict | None = None) -> SimpleNamespace:
    if status is not None:
        folder.mkdir()
        (folder / "status.json").write_text(json.dumps(status))
    return SimpleNamespace(working_dir=str(folder), return_value=code)


def test_rows_say_how_each_job_ended(tmp_path: Path) -> None:
    status = {"state": "finished", "images_seen": 640, "seconds": 1.5, "figures": {"mse": 0.25}}
    rows = [
        _row(0, job(tmp_path / "a", 0, status), ["seed=1", "model=x"]),
        _row(1, job(tmp_path / "b", 2), ["seed=2"]),
        _row(2, job(tmp_path / "c", 1), ["seed=3"]),
        _row(3, job(tmp_path / "d", 1, {"state": "failed", "images_seen": 64}), ["seed=4"]),
    ]
    assert [row["state"] for row in rows] == ["finished", "refused", "failed", "failed"]
    _write_csv(tmp_path / "new" / "results.csv", rows)
    with (tmp_path / "new" / "results.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert list(read[0])[-1] == "folder"
    assert [row["mse"] for row in read] == ["0.25", "", "", ""]
    assert [row["overrides"] for row in read] == ["seed=1 model=x", "seed=2", "seed=3", "seed=4"]
    assert [row["images_seen"] for row in read] == ["640", "0", "0", "64"]


def test_a_job_without_an_exit_code_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="exit code"):
        _row(0, job(tmp_path / "a", None), [])
