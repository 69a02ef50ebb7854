"""``ganvas runs diff``: options and metrics in which two runs differ, and no others."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml


@pytest.fixture
def pair(outputs: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Two copies of one run; the second has another learning rate and metric."""
    first, second = (tmp_path / "outputs" / "train" / name for name in ("one", "two"))
    for path in (first, second):
        shutil.copytree(outputs / "train" / "a_gan", path)
        text = (path / "run.yaml").read_text()
        old = yaml.safe_load(text)["config"]["paths"]["run_dir"]
        (path / "run.yaml").write_text(text.replace(old, str(path)))
    run = yaml.safe_load((second / "run.yaml").read_text())
    run["config"]["model"]["generator_optimizer"]["lr"] = 0.125
    (second / "run.yaml").write_text(yaml.safe_dump(run))
    status = json.loads((second / "status.json").read_text())
    (second / "status.json").write_text(json.dumps(status | {"metrics": {"fid": 2.5}}))
    return first, second


def test_what_differs_in_its_order(ganvas, pair: tuple[Path, Path]) -> None:
    told = json.loads(ganvas("runs", "diff", "one", "two", "--json").stdout)
    old = yaml.safe_load((pair[0] / "run.yaml").read_text())["config"]["model"]["generator_optimizer"]["lr"]
    assert told["options"] == [{"key": "model.generator_optimizer.lr", "a": old, "b": 0.125}]
    assert told["metrics"] == [{"key": "fid", "a": None, "b": 2.5}]
    back = json.loads(ganvas("runs", "diff", "two", "one", "--json").stdout)
    assert back["metrics"] == [{"key": "fid", "a": 2.5, "b": None}]


def test_as_text(ganvas, pair: tuple[Path, Path]) -> None:
    text = ganvas("runs", "diff", "one", "two").stdout
    assert "model.generator_optimizer.lr" in text
    assert "0.125" in text
    assert "run_dir" not in text


def test_where_a_run_lies_is_no_difference(ganvas, pair: tuple[Path, Path], tmp_path: Path) -> None:
    third = tmp_path / "outputs" / "train" / "three"
    shutil.copytree(pair[0], third)
    text = (third / "run.yaml").read_text()
    (third / "run.yaml").write_text(text.replace(str(pair[0]), str(third)))
    done = ganvas("runs", "diff", "one", "three")
    assert done.stdout == "options: no difference\nmetrics: no difference\n"
