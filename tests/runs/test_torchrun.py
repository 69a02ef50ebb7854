"""Ranks that torchrun starts: one folder, the same run as the plain launcher's, restarts that go on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from rank_faults import WORDS, harming, left_in, run_command, status, torchrun
from run_files import newest_checkpoint


def same_state(one: Path, other: Path) -> None:
    first, second = newest_checkpoint(one), newest_checkpoint(other)
    assert first["ganvas_clock"] == second["ganvas_clock"]
    for key, value in first["state_dict"].items():
        assert torch.equal(second["state_dict"][key], value), key


def test_torchrun_trains_what_the_plain_launcher_trains(tmp_path: Path) -> None:
    """Also its evaluation over the ranks; ``devices=auto`` takes as many as torchrun has started."""
    words = [word for word in WORDS if not word.startswith("paths.")]
    done = torchrun(tmp_path, *words, "accelerator.devices=auto", "paths.output_dir=started")
    assert done.returncode == 0, done
    assert done.stdout.count("finished: ") == 1, done
    (run,) = tmp_path.glob("started/*/*/")
    assert run_command(tmp_path, "ganvas", *words, "paths.run_dir=plain").returncode == 0
    same_state(run, tmp_path / "plain")
    metrics = [json.loads((one / "status.json").read_text())["metrics"] for one in (run, tmp_path / "plain")]
    assert metrics[0] == metrics[1]
    assert metrics[0]["fid"] > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plain", "started"]


@pytest.mark.slow
def test_a_restart_of_torchrun_goes_on_in_the_same_folder(tmp_path: Path) -> None:
    words = [word for word in harming(tmp_path, "SIGKILL") if not word.startswith("paths.")]
    done = torchrun(tmp_path, *words, options=("--max-restarts=2",))
    assert done.returncode == 0, done
    assert "rank 1 of 2" in done.stderr
    (run,) = tmp_path.glob("outputs/*/*/")
    assert json.loads((run / "status.json").read_text())["state"] == "finished"
    assert "going on" in (run / "train.log").read_text()
    assert run_command(tmp_path, "ganvas", *WORDS).returncode == 0
    same_state(tmp_path / "run", run)
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    whole = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [row["examples"] for row in rows] == [row["examples"] for row in whole]


@pytest.mark.slow
def test_what_is_refused_is_said_once(tmp_path: Path) -> None:
    """Not by each rank, and not again by the restart, which torchrun makes for any exit code."""
    done = torchrun(tmp_path, *WORDS, "data.batch_size=9", options=("--max-restarts=1",))
    assert done.returncode != 0
    assert "exitcode  : 2" in done.stderr, done.stderr
    assert done.stderr.count("data.batch_size=9: is global") == 1, done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_stop_of_torchrun_saves(tmp_path: Path) -> None:
    """torchrun hands SIGTERM on to its ranks; here one rank gets it, and all of them stop after one batch."""
    done = torchrun(tmp_path, *harming(tmp_path, "SIGTERM"))
    assert done.returncode != 0
    assert "(exitcode: 143)" in done.stderr or "exitcode  : 143" in done.stderr, done.stderr
    assert status(tmp_path)["state"] == "interrupted"
    examples = status(tmp_path)["examples_seen"]
    assert newest_checkpoint(tmp_path / "run")["ganvas_clock"]["examples_seen"] == examples < 640
    assert left_in(tmp_path) == []
    assert run_command(tmp_path, "ganvas", "resume", "run", "--config-dir", "conf").returncode == 0
    assert status(tmp_path)["state"] == "finished"
