"""Idle OpenMP threads sleep soon, in a run and in what it starts, unless the user's environment chose."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ganvas.run.process.spinning import SPIN_COUNT, bound_spinning

_TINY = ["trainer.max_examples=64", "data.batch_size=32", "callback=none", "logger=none", "accelerator=cpu"]


@pytest.mark.parametrize(("name", "value"), [("OMP_WAIT_POLICY", "active"), ("GOMP_SPINCOUNT", "7")])
def test_what_the_user_chose_stays(name: str, value: str) -> None:
    environment = {name: value}
    bound_spinning(environment)
    assert environment == {name: value}


def test_it_is_bounded_otherwise_also_where_a_variable_is_empty() -> None:
    environment = {"OMP_WAIT_POLICY": "", "PATH": "x"}
    bound_spinning(environment)
    assert environment == {"OMP_WAIT_POLICY": "", "PATH": "x", "GOMP_SPINCOUNT": str(SPIN_COUNT)}


def _spin_counts(words: list[str], folder: Path, given: dict[str, str]) -> list[str]:
    """What GNU OpenMP itself says that it has read, in every process that loads it; jobs by their logs."""
    free = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "GOMP_"))}
    done = subprocess.run(
        [sys.executable, "-m", "ganvas", *words],
        cwd=folder,
        env=free | {"OMP_DISPLAY_ENV": "verbose"} | given,
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    logs = "".join(path.read_text() for path in folder.rglob("*.log"))
    return re.findall(r"GOMP_SPINCOUNT = '(\d+)'", done.stderr + logs)


@pytest.mark.slow
@pytest.mark.real_processes
@pytest.mark.skipif(sys.platform != "linux", reason="GNU OpenMP")
def test_torch_is_imported_behind_the_bound_in_runs_jobs_and_ranks(tmp_path: Path) -> None:
    train = ["train", *_TINY]
    assert set(_spin_counts(train, tmp_path, {})) == {str(SPIN_COUNT)}
    assert set(_spin_counts(train, tmp_path, {"GOMP_SPINCOUNT": "77"})) == {"77"}
    assert set(_spin_counts(["sample", "latest", "--num", "4", "--out", "s.png"], tmp_path, {})) == {
        str(SPIN_COUNT)
    }
    ranks = _spin_counts([*train, "accelerator=ddp_cpu"], tmp_path, {})
    assert len(ranks) >= 2
    assert set(ranks) == {str(SPIN_COUNT)}
    jobs = _spin_counts(
        ["train", "-m", "seed=1,2", *_TINY, f"paths.output_dir={tmp_path / 'jobs'}"], tmp_path, {}
    )
    assert len(jobs) >= 2
    assert set(jobs) == {str(SPIN_COUNT)}
