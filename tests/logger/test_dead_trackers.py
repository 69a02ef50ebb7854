"""A tracker that cannot be reached, hangs, dies or loses its store: a run ends in time, and says so once."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.real_processes]

_SPOILER = '''
import os
import shutil
import signal
import time
from pathlib import Path

import pytorch_lightning as pl


class Spoiler(pl.Callback):
    """Once all trackers have begun, takes one's folder away, stops one and kills one."""

    def __init__(self, *, run_dir: str, delete: str, stop: str, kill: str):
        self.run, self.is_done = Path(run_dir), False
        self.delete, self.signals = delete, {stop: signal.SIGSTOP, kill: signal.SIGKILL}

    def on_train_batch_end(self, trainer, pl_module, *_):
        if self.is_done:
            return
        until = time.monotonic() + 30
        while not list((self.run / self.delete).glob("*.db")) and time.monotonic() < until:
            time.sleep(0.1)
        time.sleep(1)
        self.is_done = True
        shutil.rmtree(self.run / self.delete)
        for one in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                name = one.read_text().rstrip("\\0").rpartition("\\0")[2]
                parent = one.with_name("stat").read_text().rpartition(")")[2].split()[1]
            except OSError:
                continue
            if int(parent) == os.getpid() and name in self.signals:
                os.kill(int(one.parent.name), self.signals[name])
'''


def left_in(run: Path) -> list[str]:
    """Processes that a run has left, by their current folder, once they have had five seconds to end."""
    end = time.monotonic() + 5
    while True:
        found = []
        for one in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if Path(os.readlink(one / "cwd")).is_relative_to(run):
                    found.append((one / "cmdline").read_text())
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.1)


@pytest.fixture
def spoiled(train: Callable[..., Any], trackers: Any, tmp_path: Path) -> Callable[..., tuple[Any, float]]:
    """``spoiled("aim,mlflow", conf=...)``: status.json of a run that something befell, and its seconds."""

    def run(tracker: str, *, conf: str = "", **environment: str) -> tuple[Any, float]:
        for name in tracker.split(","):
            if name in trackers[1]:
                pytest.skip(trackers[1][name])
        words = ["train", "trainer=smoke", "callback.evaluation.num_samples=64", "accelerator=cpu"]
        words += [f"logger=[{tracker}]", f"paths.run_dir={tmp_path / 'run'}"]
        words += [f"logger.{name}.finish_seconds=2" for name in tracker.split(",")]
        if conf:
            (tmp_path / "conf" / "callback").mkdir(parents=True)
            (tmp_path / "conf" / "callback" / "spoiler.py").write_text(_SPOILER)
            yaml = "spoiler:\n  _target_: spoiler.Spoiler\n  run_dir: ${paths.run_dir}\n"
            yaml += conf
            (tmp_path / "conf" / "callback" / "spoiler.yaml").write_text(yaml)
            words[1:1] = ["--config-dir", str(tmp_path / "conf")]
            words.append("callback=[default,spoiler]")
        began = time.monotonic()
        done = train(*words, **environment)
        assert done.returncode == 0, done.stderr
        assert left_in(tmp_path / "run") == []
        status = json.loads((tmp_path / "run" / "status.json").read_text())
        assert status["state"] == "finished"
        assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) >= 10
        return status, time.monotonic() - began

    return run


def events(status: Any, what: str) -> list[str]:
    return [event["error"] for event in status["write_errors"] if event["what"] == what]


def test_services_that_cannot_be_reached(spoiled: Callable[..., Any], tmp_path: Path) -> None:
    """Nobody listens at two addresses, somebody never answers at the third; no key is in a run's file."""
    keys = {"WANDB_API_KEY": "0123456789abcdef" * 5, "COMET_API_KEY": "fedcba9876543210abcdefghi"}
    nobody = dict.fromkeys(("WANDB_BASE_URL", "COMET_URL_OVERRIDE"), "http://127.0.0.1:9")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent_one = {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        status, seconds = spoiled("wandb,comet,mlflow", **keys, **nobody, **silent_one)
    for what in ("Wandb", "Comet", "Mlflow"):
        assert len(events(status, what)) == 1, (what, status["write_errors"])
    assert events(status, "Mlflow") == ["did not finish within 2 seconds and was ended"]
    assert seconds < 80  # wandb alone would try for 90
    log = (tmp_path / "run" / "train.log").read_text()
    assert log.count("Mlflow could not be written") == 1
    for path in (tmp_path / "run").rglob("*"):
        if path.is_file():
            held = path.read_bytes()
            assert not [key for key, value in keys.items() if value.encode() in held], path


def test_what_befalls_trackers(spoiled: Callable[..., Any]) -> None:
    conf = "  delete: trackio\n  stop: aim\n  kill: mlflow\n"
    status, seconds = spoiled("trackio,aim,mlflow", conf=conf)
    assert [said.rpartition("/")[2] for said in events(status, "Trackio")] == ["trackio is gone"]
    assert events(status, "Aim") == ["did not finish within 2 seconds and was ended"]
    assert events(status, "Mlflow") == ["its process ended (-9)"]
    assert seconds < 80


def test_a_full_disk(trackers: Any, tmp_path: Path) -> None:
    """Each tracker's store lies on a file system that has no byte left; the run's folder does not."""
    pythons, _ = trackers
    full, run = tmp_path / "full", tmp_path / "run"
    full.mkdir()
    stores = [f"logger.{name}.save_dir={full / name}" for name in pythons]
    words = ["train", "trainer=smoke", "callback.evaluation.num_samples=64", "accelerator=cpu"]
    words += [f"logger=[{','.join(pythons)}]", *stores, f"paths.run_dir={run}"]
    mount = (
        f"mount --make-rprivate / && mount -t tmpfs -o size=64k,nr_inodes=100 tmpfs {full} || exit 77; "
        f"mkdir {' '.join(str(full / name) for name in pythons)}; "
        f'head -c 1000000 /dev/zero > {full}/filler 2> /dev/null; exec "$@"'
    )
    there = {f"GANVAS_{name.upper()}_PYTHON": python for name, python in pythons.items()}
    command = ["unshare", "-m", "sh", "-c", mount, "sh", sys.executable, "-P", "-m", "ganvas", *words]
    environment = os.environ | there | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode == 77 or done.stderr.startswith("unshare"):
        pytest.skip("no file system can be mounted here")
    assert done.returncode == 0, done.stderr
    status = json.loads((run / "status.json").read_text())
    assert status["state"] == "finished"
    for name in pythons:
        assert len(events(status, name.capitalize())) == 1, status["write_errors"]
