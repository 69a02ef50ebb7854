"""Sweeps that are stopped, killed and gone on with: nothing is lost, nothing is run twice."""

from __future__ import annotations

import json
import os
import random
import signal
from pathlib import Path

import pytest
import sweeps
from same_run import assert_same, rows

pytestmark = pytest.mark.real_processes  # who is left of them is read off their command lines

SMOKE = ("trainer=smoke", "callback=minimal", "logger=none", "callback.evaluation.num_samples=64")
# 40 batches, a checkpoint at every tenth of them: some seconds.
LONGER = (
    *SMOKE,
    "data.batch_size=32",
    "trainer.max_examples=19200",
    "callback.checkpoint.every_examples=640",
)


def undisturbed(ganvas, tmp_path: Path, words: tuple[str, ...], *, seed: int) -> Path:
    ganvas("train", f"seed={seed}", *words, f"paths.run_dir=whole/{seed}", fresh=True)
    return tmp_path / "whole" / str(seed)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_sweep_goes_on(number: int, ganvas, tmp_path: Path) -> None:
    process = sweeps.start("train", "-m", "seed=1,2,3", *LONGER, "hydra.launcher.n_jobs=2", where=tmp_path)
    sweep = sweeps.wait_for(lambda: sweeps.the_sweep(tmp_path), "sweep.json")
    sweeps.wait_for(lambda: list(sweep.glob("000_*/checkpoints/*.ckpt")), "a checkpoint of the first job")
    os.kill(process.pid, number)
    output, _ = process.communicate(timeout=sweeps.PATIENCE)
    assert process.returncode == 128 + number, output
    assert "go on with: ganvas sweep resume" in output
    assert sweeps.processes_of(sweep) == []
    first = sweeps.record(sweep, 0)["attempts"]
    assert len(first) == 1
    assert first[0]["code"] in (0, 143)  # told to save by SIGTERM; or it was just done
    assert sweeps.record(sweep, 2) == {}
    done = ganvas("sweep", "resume", "latest")
    assert "3 finished" in ganvas("sweep", "status").stdout
    assert "table: " in done.stdout
    assert_same(sweeps.run_dir(sweep, 0), undisturbed(ganvas, tmp_path, LONGER, seed=1))
    assert "nothing is left to do" in ganvas("sweep", "resume").stdout
    assert [len(sweeps.record(sweep, index)["attempts"]) for index in range(3)][2] == 1


def kill_until_done(tmp_path: Path, *, kills: int, seed: int) -> Path:
    """Kills a sweep of three jobs again and again at random moments, until it is done."""
    moments = random.Random(seed)
    words = ["train", "-m", "seed=1,2,3", *LONGER, "hydra.launcher.n_jobs=2"]
    for _ in range(kills):
        process = sweeps.start(*words, where=tmp_path)
        try:
            process.wait(timeout=moments.uniform(0.3, 9.0))
        except Exception:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        if sweeps.the_sweep(tmp_path) is not None:
            words = ["sweep", "resume", "latest"]
    process = sweeps.start(*words, where=tmp_path)
    output, _ = process.communicate(timeout=sweeps.PATIENCE)
    assert process.returncode == 0, output
    sweep = sweeps.the_sweep(tmp_path)
    assert sweep is not None
    return sweep


@pytest.mark.slow
def test_a_killed_sweep_loses_nothing_and_runs_nothing_twice(ganvas, tmp_path: Path) -> None:
    """Twenty kills were seen by hand: GANVAS_KILLS=20."""
    sweep = kill_until_done(tmp_path, kills=int(os.environ.get("GANVAS_KILLS", "3")), seed=5)
    for index, seed in enumerate((1, 2, 3)):
        run = sweeps.run_dir(sweep, index)
        assert_same(run, undisturbed(ganvas, tmp_path, LONGER, seed=seed))
        examples = [row["examples"] for row in rows(run / "metrics.jsonl")]
        assert examples == sorted(examples)
        attempts = sweeps.record(sweep, index)["attempts"]
        assert [one.get("code") for one in attempts].count(0) == 1
        assert attempts[-1]["code"] == 0
    assert len(list(sweep.glob("[0-9]*_*/run.yaml"))) == 3
    sweeps.wait_for(lambda: not sweeps.processes_of(sweep), "the end of every job's process")


_FAILS_ONCE = """
import os
import pytorch_lightning as pl


class FailsOnce(pl.Callback):
    def __init__(self, batch: int, mark: str, kill: bool):
        self.batch, self.mark, self.kill = batch, mark, kill

    def on_train_batch_end(self, trainer, pl_module, *_):
        if pl_module.batches_seen == self.batch and not os.path.exists(self.mark):
            open(self.mark, "w").close()
            if self.kill:
                os.kill(os.getpid(), 9)
            raise RuntimeError("a fan failed")
"""


@pytest.fixture
def fails_once(tmp_path: Path) -> tuple[str, ...]:
    conf = tmp_path / "conf" / "callback"
    conf.mkdir(parents=True)
    (tmp_path / "conf" / "fails_once.py").write_text(_FAILS_ONCE)
    mark = "${paths.run_dir}/failed"
    (conf / "fails_once.yaml").write_text(
        f"fails_once: {{_target_: fails_once.FailsOnce, batch: 30, mark: '{mark}', kill: false}}\n"
    )
    return ("--config-dir", "conf", "callback=[evaluation,checkpoint,record,fails_once]")


@pytest.mark.slow
@pytest.mark.parametrize("kill", ["true", "false"])
def test_a_job_that_failed_is_begun_again(kill: str, fails_once, ganvas, tmp_path: Path) -> None:
    """From its newest checkpoint, as often as ``retries`` says; the other job is not touched."""
    words = ("data.batch_size=32", "trainer.max_examples=1280", "callback.checkpoint.every_examples=320")
    words = ("train", *fails_once, *SMOKE[:1], "logger=none", *words, f"callback.fails_once.kill={kill}")
    ganvas(*words, "-m", "seed=1,2", "hydra.launcher.retries=1", "hydra.launcher.n_jobs=2")
    sweep = sweeps.the_sweep(tmp_path)
    assert sweep is not None
    for index in range(2):
        first, second = sweeps.record(sweep, index)["attempts"]
        assert first.get("code") == (None if kill == "true" else 1)
        assert second["code"] == 0
        examples = [row["examples"] for row in rows(sweeps.run_dir(sweep, index) / "metrics.jsonl")]
        assert examples == sorted(examples)
        assert examples[-1] == 1280


@pytest.mark.slow
def test_failed_jobs_are_retried_on_request(fails_once, ganvas, tmp_path: Path) -> None:
    words = ("data.batch_size=32", "trainer.max_examples=1280", "callback.checkpoint.every_examples=320")
    words = (*fails_once, *SMOKE[:1], "logger=none", *words)
    done = ganvas("train", *words, "-m", "seed=1,2", "hydra.launcher.on_error=stop", code=1)
    assert "[job 0] failed: RuntimeError: a fan failed" in done.stdout
    assert "[job 1]" not in done.stdout
    assert "1 of 2 jobs are left; go on with: ganvas sweep resume" in done.stdout
    assert "allow" in ganvas("sweep", "retry", "latest", "0", code=1).stdout  # its own parts were not named
    ganvas("sweep", "retry", "latest", "0", "--config-dir", "conf", code=1)  # job 1 waits still
    listed = json.loads(ganvas("sweep", "status", "--json").stdout)
    assert listed["counts"] == {"finished": 1, "waiting": 1}


@pytest.mark.slow
def test_a_job_that_takes_too_long_is_saved_and_can_go_on(ganvas, tmp_path: Path) -> None:
    words = (*SMOKE, "trainer.max_examples=100000000", "callback.checkpoint.every_examples=6400")
    done = ganvas("train", "-m", "seed=1", *words, "hydra.launcher.timeout='00:00:20'", code=1)
    assert "[job 0] timeout: " in done.stdout
    assert "1 of 1 jobs are left; go on with: ganvas sweep resume" in done.stdout
    sweep = sweeps.the_sweep(tmp_path)
    assert sweep is not None
    (job,) = json.loads(ganvas("sweep", "status", "--json").stdout)["jobs"]
    assert job["state"] == "timeout"
    if job["code"] == 143:  # it had begun to train, also on a busy machine
        assert job["examples_seen"] > 0
        assert list(sweep.glob("000_*/checkpoints/*.ckpt"))
    assert sweeps.processes_of(sweep) == []
