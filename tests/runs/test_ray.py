"""A sweep on a real Ray cluster of this machine, through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

absent = pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray: pip install 'ganvas[ray]'")
pytestmark = [pytest.mark.ray, pytest.mark.slow, absent]


def test_four_jobs(ganvas: Callable[..., object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    words = ("trainer=smoke", "callback=minimal", "accelerator=cpu", "seed=1,2,3,4", "hydra.sweep.dir=sweep")
    ganvas("train", "-m", *words, "hydra/launcher=ray", fresh=True)
    done = json.loads(ganvas("sweep", "status", "sweep", "--json").stdout)  # type: ignore[attr-defined]
    assert [job["state"] for job in done["jobs"]] == ["finished"] * 4
    assert len({job["metrics"]["fid"] for job in done["jobs"]}) == 4
    assert not (Path("sweep") / "ray").exists()
    assert not (tmp_path / "home" / ".ray").exists()
