"""Whatever stops a run: it goes on as if nothing had, and its logs hold each step once."""

from __future__ import annotations

import json
import shutil
import signal
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from run_files import newest_checkpoint, only_run
from same_run import assert_same, rows

from ganvas.run.checkpoint import io as checkpoint_io
from ganvas.run.folder.lock import RunLock

# 22 batches an epoch of 64 digits, 30 in all, a validation every 5.
RUN = [
    "train",
    "model=mlp_vqvae",
    "data.batch_size=64",
    "trainer.max_examples=1920",
    "trainer.log_every_examples=128",
    "trainer.val_every_examples=320",
    "callback.checkpoint.every_examples=640",
    "callback.preview.every_examples=320",
    "callback.evaluation.every_examples=700",
    "callback.evaluation.num_samples=50",
]

_STOP = """
import os
import pytorch_lightning as pl


class Stop(pl.Callback):
    def __init__(self, batch: int, number: int):
        self.batch, self.number = batch, number

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if pl_module.batches_seen == self.batch - 1:
            os.kill(os.getpid(), self.number)
            self.batch = 0
"""


@pytest.fixture
def whole(ganvas, tmp_path: Path) -> Path:
    """The run that nothing stops."""
    ganvas(*RUN, "paths.output_dir=whole")
    (run,) = tmp_path.glob("whole/*/*/")
    return run


def status(run: Path) -> dict[str, Any]:
    return json.loads((run / "status.json").read_text())


def set_status(run: Path, **values: object) -> None:
    """As a process that was killed before the run's end left it."""
    before = {name: value for name, value in status(run).items() if name != "ended"}
    (run / "status.json").write_text(json.dumps(before | values))


@pytest.mark.parametrize(
    ("number", "batch"),
    [
        (signal.SIGINT, 7),
        (signal.SIGTERM, 10),
        (signal.SIGUSR1, 22),
        (signal.SIGUSR2, 30),
        (signal.SIGHUP, 1),
    ],
)
def test_a_signal_saves_the_batch_and_a_resume_misses_nothing(
    number: int, batch: int, whole: Path, ganvas, tmp_path: Path
) -> None:
    """Batches 10 and 30 are followed by a validation, 22 is an epoch's last and 30 the run's."""
    (tmp_path / "conf" / "callback").mkdir(parents=True)
    (tmp_path / "conf" / "callback" / "stop.py").write_text(_STOP)
    (tmp_path / "conf" / "callback" / "stop.yaml").write_text(
        textwrap.dedent(f"""
        defaults: [default]
        stop: {{_target_: stop.Stop, batch: {batch}, number: {int(number)}}}
        """)
    )
    done = ganvas(*RUN, "--config-dir", "conf", "callback=stop", code=128 + number)
    run = only_run(tmp_path)
    assert status(run)["state"] == "interrupted"
    assert newest_checkpoint(run)["ganvas_clock"]["batches_seen"] == batch
    assert f"ganvas resume {run.relative_to(tmp_path)}" in done.stdout
    ganvas("resume", "latest", "--config-dir", "conf", "callback.stop.batch=0")
    assert status(run)["state"] == "finished"
    assert_same(run, whole)


def test_killed_before_its_first_checkpoint_it_begins_anew(whole: Path, ganvas, tmp_path: Path) -> None:
    run = tmp_path / "killed"
    shutil.copytree(whole, run)
    shutil.rmtree(run / "checkpoints")
    set_status(run, state="running")
    (run / "metrics.jsonl").open("a").write('{"examples": 19')
    ganvas("resume", "killed")
    assert_same(run, whole)


@pytest.mark.parametrize("left", ["evaluation", "everything"])
def test_killed_at_its_very_end_it_does_what_was_left(left: str, whole: Path, ganvas, tmp_path: Path) -> None:
    run = tmp_path / "killed"
    shutil.copytree(whole, run)
    metrics = status(whole)["metrics"]
    set_status(run, state="running", metrics=None)
    if left == "evaluation":  # its last row is there, its metrics are not
        text = (run / "evaluations.jsonl").read_text().splitlines(keepends=True)
        (run / "evaluations.jsonl").write_text("".join(text[:-1]))
    ganvas("resume", "killed")
    assert_same(run, whole)
    assert status(run)["state"] == "finished"
    assert status(run)["metrics"] == metrics


def test_a_finished_run_is_not_touched(whole: Path, ganvas) -> None:
    before = {path: path.read_bytes() for path in whole.rglob("*") if path.is_file() and path.name != ".lock"}
    assert "finished already" in ganvas("resume", str(whole)).stdout
    after = {path: path.read_bytes() for path in whole.rglob("*") if path.is_file() and path.name != ".lock"}
    assert after == before


def test_a_longer_run_keeps_the_metrics_of_the_shorter(ganvas, tmp_path: Path) -> None:
    ganvas(*RUN, "trainer.max_examples=960")
    run = only_run(tmp_path)
    ganvas("evaluate", "latest", "--num", "50")
    ganvas("resume", "latest", "trainer.max_examples=1920")
    sources = [(row["examples"], row["source"]) for row in rows(run / "evaluations.jsonl")]
    assert sources == [(704, "run"), (960, "run"), (960, "evaluate"), (1408, "run"), (1920, "run")]
    recorded = yaml.safe_load((run / "run.yaml").read_text())
    assert recorded["config"]["trainer"]["max_examples"] == 1920
    (resumed,) = recorded["ganvas"]["resumed"]
    assert (resumed["examples_seen"], resumed["overrides"]) == (960, ["trainer.max_examples=1920"])
    assert "finished already" in ganvas("resume", "latest").stdout  # the larger budget is the run's now


@pytest.mark.parametrize("again", ["trainer.max_examples=1920", "trainer.max_examples=960"])
def test_a_finished_run_keeps_its_end_where_going_on_came_to_nothing(
    again: str, ganvas, tmp_path: Path
) -> None:
    """Killed before the first new checkpoint: what it had written at its end is of no later moment."""
    ganvas(*RUN, "trainer.max_examples=960", "paths.run_dir=run")
    run = tmp_path / "run"
    ended = {name: rows(run / f"{name}.jsonl") for name in ("metrics", "evaluations")}
    state = status(run)
    (run / "status.json").write_text(json.dumps(state | {"state": "running"}))
    (run / "metrics.jsonl").open("a").write('{"examples": 1024, "batch": 16}\n{"examples": 10')
    ganvas("resume", "run", again)
    for name, before in ended.items():
        assert rows(run / f"{name}.jsonl")[: len(before)] == before
    logged = [(row["examples"], *sorted(row)) for row in rows(run / "metrics.jsonl")]
    assert len(set(logged)) == len(logged)
    assert status(run)["state"] == "finished"
    if again.endswith("960"):
        assert {name: rows(run / f"{name}.jsonl") for name in ended} == ended


def test_max_epochs_may_be_raised_too(ganvas, tmp_path: Path) -> None:
    common = [*RUN, "trainer.max_examples=null"]
    ganvas(*common, "trainer.max_epochs=2", "paths.output_dir=whole")
    ganvas(*common, "trainer.max_epochs=1")
    ganvas("resume", "latest", "trainer.max_epochs=2")
    run, (straight,) = only_run(tmp_path), tmp_path.glob("whole/*/*/")
    ours, theirs = newest_checkpoint(run), newest_checkpoint(straight)
    assert theirs["ganvas_clock"]["batches_seen"] == 44
    for key in ("ganvas_clock", "global_step", "epoch"):
        assert ours[key] == theirs[key], key
    for key, value in theirs["state_dict"].items():
        assert value.equal(ours["state_dict"][key]), key


def test_two_processes_cannot_write_one_run(whole: Path, ganvas) -> None:
    before = {path: path.read_bytes() for path in whole.rglob("*") if path.is_file() and path.name != ".lock"}
    with RunLock(whole):
        done = ganvas("resume", str(whole), "trainer.max_examples=2560", code=2)
    assert "is being written by process" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    after = {path: path.read_bytes() for path in whole.rglob("*") if path.is_file() and path.name != ".lock"}
    assert after == before


def test_what_would_train_otherwise_is_refused_key_by_key(whole: Path, ganvas) -> None:
    before = (whole / "run.yaml").read_bytes()
    done = ganvas("resume", str(whole), "model.optimizer.lr=0.1", "data.batch_size=32", code=2)
    assert "model.optimizer.lr" in done.stderr
    assert "data.batch_size: 64 -> 32" in done.stderr
    assert "allow_drift=true" in done.stderr
    assert (whole / "run.yaml").read_bytes() == before
    ganvas("resume", str(whole), "model.optimizer.lr=0.1", "trainer.max_examples=2560", "allow_drift=true")
    run = yaml.safe_load((whole / "run.yaml").read_text())
    (resumed,) = run["ganvas"]["resumed"]
    assert [one["option"] for one in resumed["drift"]] == ["model.optimizer.lr"]
    assert run["config"]["model"]["optimizer"]["lr"] == 0.1
    assert newest_checkpoint(whole)["ganvas_clock"]["examples_seen"] == 2560


@pytest.mark.parametrize(
    ("key", "value"),
    [("versions.torch", "1.0"), ("data.train_sha256", "0" * 64), ("world_size", 2)],
)
def test_other_data_versions_or_processes_are_drift(key: str, value: object, whole: Path, ganvas) -> None:
    run = yaml.safe_load((whole / "run.yaml").read_text())
    node = run["ganvas"]["environment"]
    *parents, last = key.split(".")
    for parent in parents:
        node = node[parent]
    assert last in node
    node[last] = value
    (whole / "run.yaml").write_text(yaml.safe_dump(run))
    done = ganvas("resume", str(whole), "trainer.max_examples=2560", code=2)
    assert done.stderr.startswith(f"{key}=")
    ganvas("resume", str(whole), "trainer.max_examples=2560", "allow_drift=true")
    ganvas("resume", str(whole), "trainer.max_examples=2624")  # what was taken once is the run's


def test_a_full_disk_ends_no_run(
    whole: Path, ganvas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No checkpoint after the first one can be written; the exit code says so, and nothing is lost."""
    real, paths = checkpoint_io._write, []

    def full(checkpoint: Any, path: Path) -> str:
        paths.append(path)
        if len(paths) > 1:
            raise OSError(28, "No space left on device")
        return real(checkpoint, path)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_io, "_write", full)
        done = ganvas(*RUN, code=1)
    run = only_run(tmp_path)
    assert "1920 examples could not be written" in done.stderr
    told = status(run)
    assert told["state"] == "failed"
    (event,) = told["write_errors"]
    assert (event["what"], event["until"]) == ("checkpoint", None)
    assert "No space" in event["error"]
    assert [path.name for path in run.glob("checkpoints/*.ckpt")] == [f"{640:012d}.ckpt"]
    assert (run / "train.log").read_text().count("could not be written (") == 1
    assert rows(run / "metrics.jsonl") == rows(whole / "metrics.jsonl")
    ganvas("resume", "latest")
    assert_same(run, whole)


def test_a_budget_of_time_ends_a_run_as_finished(ganvas, tmp_path: Path) -> None:
    ganvas(*RUN, "trainer.max_examples=null", "trainer.max_time=00:00:00:01")
    run = only_run(tmp_path)
    assert status(run)["state"] == "finished"
    assert set(status(run)["metrics"]) >= {"psnr"}
    batches = newest_checkpoint(run)["ganvas_clock"]["batches_seen"]
    assert batches > 0
    ganvas("resume", "latest", "trainer.max_time=null", f"trainer.max_examples={64 * (batches + 3)}")
    assert newest_checkpoint(run)["ganvas_clock"]["batches_seen"] == batches + 3


def test_how_often_is_looked_changes_no_bit(whole: Path, ganvas, tmp_path: Path) -> None:
    ganvas(
        *RUN[:4],
        "trainer.log_every_examples=64",
        "trainer.val_every_examples=192",
        "callback.checkpoint.every_examples=64",
        "callback.preview.every_examples=64",
        "callback.evaluation.every_examples=320",
        "callback.evaluation.num_samples=50",
    )
    ours, theirs = newest_checkpoint(only_run(tmp_path)), newest_checkpoint(whole)
    for key, value in theirs["state_dict"].items():
        assert value.equal(ours["state_dict"][key]), key
