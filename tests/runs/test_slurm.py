"""Sweeps on a real SLURM of one machine, through the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from same_run import assert_same
from slurm_cluster import ask, no_waiting, preempt, until

from ganvas.sweep.records import Record

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.usefixtures("slurm")]
TINY = ("trainer=smoke", "callback=minimal", "accelerator=cpu")
SWEEP = ("hydra/launcher=slurm", "hydra.launcher.poll_s=0.2", "hydra.sweep.dir=sweep")


@contextmanager
def impatient() -> Iterator[None]:
    """Jobs that go back into the queue wait there for two seconds, while the block runs."""
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.3):
            no_waiting()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def codes(index: int) -> list[int | None]:
    return [attempt.get("code") for attempt in Record(Path("sweep"), index).read()["attempts"]]


def test_four_jobs_are_one_array(ganvas: Callable[..., object]) -> None:
    ganvas("train", "-m", *TINY, *SWEEP, "seed=1,2,3,4")
    (submission,) = Path("sweep/slurm").iterdir()
    assert json.loads((submission / "submission.json").read_text())["indices"] == [0, 1, 2, 3]
    assert len(list(submission.glob("*_submission.sh"))) == 1
    done = json.loads(ganvas("sweep", "status", "sweep", "--json").stdout)  # type: ignore[attr-defined]
    assert [job["state"] for job in done["jobs"]] == ["finished"] * 4
    assert len({job["metrics"]["fid"] for job in done["jobs"]}) == 4


def test_a_preempted_job_outlives_its_sweep_and_ends_with_the_same_bits(
    ganvas: Callable[..., object],
) -> None:
    words = (*TINY, "trainer.max_examples=60000", "callback.checkpoint.every_examples=1000000")
    command = [sys.executable, "-m", "ganvas", "train", "-m", *words, *SWEEP, "seed=3"]
    sweep = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    until(lambda: list(Path("sweep").glob("000_*/metrics.jsonl")))
    sweep.kill()
    sweep.wait()
    (run,) = Path("sweep").glob("000_*")
    listed = json.loads(ganvas("sweep", "status", "sweep", "--json").stdout)  # type: ignore[attr-defined]
    assert [job["state"] for job in listed["jobs"]] == ["running"]
    preempt()
    until(lambda: codes(0) == [128 + signal.SIGUSR2])
    assert json.loads((run / "status.json").read_text())["examples_seen"] < 60000
    with impatient():
        ganvas("sweep", "resume", "sweep", "hydra.launcher.poll_s=0.2")
    assert codes(0) == [128 + signal.SIGUSR2, 0]
    assert len(list(Path("sweep/slurm").iterdir())) == 1, "it was submitted once"
    ganvas("train", *words, "seed=3", "paths.run_dir=undisturbed")
    assert_same(run, Path("undisturbed"))


def test_runs_by_hand_under_srun_and_sbatch(tmp_path: Path, ganvas: Callable[..., object]) -> None:
    """Two ranks on two nodes, and one process in an allocation for two: both the run of one process here."""
    train = [sys.executable, "-m", "ganvas", "train", *TINY]
    two = ["accelerator=ddp_cpu", "accelerator.devices=1", "accelerator.num_nodes=2", "paths.run_dir=two"]
    srun = ["srun", "--partition=both", "--nodes=2", "--ntasks-per-node=1", *train, *two]
    environment = os.environ | {"MASTER_ADDR": "127.0.0.1"}  # the nodes' names are known to SLURM alone
    subprocess.run(srun, env=environment, check=True, timeout=200)
    alone = " ".join([*train, "paths.run_dir=alone"])
    ask("sbatch", "--wait", "--ntasks=2", "--output=alone.out", f"--wrap={alone}")
    metrics = [json.loads(Path(name, "status.json").read_text())["metrics"] for name in ("two", "alone")]
    assert metrics[0] == pytest.approx(metrics[1], rel=1e-3)
    assert "srun" not in Path("alone.out").read_text()
