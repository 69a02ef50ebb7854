"""What the batch script does after a job, beside a SLURM whose answers are written here."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ganvas.sweep.engine.node import after

USR1, USR2, TERM = (128 + number for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM))


class Scontrol:
    """``scontrol show job`` answers with ``about``; ``requeue`` notes what was asked."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.batch = folder, folder / "batch"
        self.batch.mkdir()
        self.about(left=3000)
        script = f"""#!/bin/sh
case $1 in
  show) test "$TZ" = UTC && cat {folder}/answer ;;
  *) echo $* >> {folder}/asked; exit $(cat {folder}/code) ;;
esac
"""
        (folder / "bin").mkdir()
        (folder / "bin" / "scontrol").write_text(script)
        (folder / "bin" / "scontrol").chmod(0o755)
        (folder / "code").write_text("0")
        monkeypatch.setenv("PATH", str(folder / "bin"), prepend=os.pathsep)
        for name, value in {
            "SLURM_JOB_ID": "70",
            "SLURM_ARRAY_JOB_ID": "70",
            "SLURM_ARRAY_TASK_ID": "3",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("SLURM_RESTART_COUNT", raising=False)
        about = {"indices": [9], "submitted": 1.5, "signal_delay_s": 60, "max_num_timeout": 2}
        (self.batch / "submission.json").write_text(json.dumps(about))

    def about(self, *, left: float, state: str = "RUNNING", preempt: str = "None", restarts: int = 0) -> None:
        end = (datetime.now(UTC) + timedelta(seconds=left)).strftime("%Y-%m-%dT%H:%M:%S")
        (self.folder / "answer").write_text(
            f"JobId=73 ArrayJobId=70 ArrayTaskId=3 JobState={state} Reason=None Restarts={restarts} "
            f"EndTime={end} PreemptEligibleTime=2026-01-01T00:00:00 PreemptTime={preempt} Command=/a=b\n"
        )

    def asked(self) -> list[str]:
        path = self.folder / "asked"
        return path.read_text().splitlines() if path.exists() else []

    def noted(self) -> dict[str, int]:
        path = self.batch / "3.json"
        return json.loads(path.read_text()) if path.exists() else {}


@pytest.fixture
def scontrol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scontrol:
    return Scontrol(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("code", "noted"), [(0, 0), (1, 1), (2, 2), (137, -9), (139, -11), (143, 143), (130, 130)]
)
def test_a_job_that_is_over(code: int, noted: int, scontrol: Scontrol) -> None:
    assert after(scontrol.batch, 3, code) == code
    assert scontrol.noted() == {"code": noted}
    assert scontrol.asked() == []


@pytest.mark.parametrize("code", [USR1, USR2])
def test_a_warning_long_before_the_end_is_no_timeout(code: int, scontrol: Scontrol) -> None:
    for _ in range(5):
        after(scontrol.batch, 3, code)
    assert scontrol.asked() == ["requeue 70_3"] * 5, "the task, not the array"
    assert scontrol.noted() == {"timeouts": 0}


def test_so_many_timeouts_and_no_more(scontrol: Scontrol) -> None:
    scontrol.about(left=100)
    for _ in range(3):
        after(scontrol.batch, 3, USR2)
    assert scontrol.asked() == ["requeue 70_3"] * 2
    assert scontrol.noted() == {"timeouts": 2, "code": USR2}


def test_a_preemption_near_the_end_is_no_timeout(scontrol: Scontrol) -> None:
    scontrol.about(left=10, preempt="2026-01-01T00:00:00")
    after(scontrol.batch, 3, USR2)
    assert scontrol.noted() == {"timeouts": 0}


def test_a_preemption_by_sigterm_goes_back(scontrol: Scontrol) -> None:
    scontrol.about(left=10, preempt="2026-01-01T00:00:00")
    after(scontrol.batch, 3, TERM)
    assert scontrol.asked() == ["requeue 70_3"]


def test_what_slurm_has_put_back_itself_is_left_alone(
    scontrol: Scontrol, monkeypatch: pytest.MonkeyPatch
) -> None:
    scontrol.about(left=10, state="COMPLETING", restarts=2)
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    after(scontrol.batch, 3, TERM)
    assert (scontrol.asked(), scontrol.noted()) == ([], {})
    monkeypatch.setenv("SLURM_RESTART_COUNT", "2")
    after(scontrol.batch, 3, TERM)
    assert (scontrol.asked(), scontrol.noted()) == ([], {"code": TERM})


@pytest.mark.parametrize(
    "make", [lambda batch: (batch / "3.stop").touch(), lambda batch: (batch.parent / "code").write_text("1")]
)
def test_it_is_over_where_the_sweep_stopped_it_or_slurm_refuses(
    make: Callable[[Path], object], scontrol: Scontrol
) -> None:
    make(scontrol.batch)
    after(scontrol.batch, 3, USR2)
    assert scontrol.noted()["code"] == USR2
