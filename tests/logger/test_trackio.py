"""What Trackio itself reads of a run that was killed twice and resumed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.real_processes]

READ = """
import json, os, sys

os.environ["TRACKIO_DIR"] = sys.argv[1]
from trackio.sqlite_storage import SQLiteStorage

(run,) = SQLiteStorage.get_run_records("train")
scalars, images = {}, {}
for row in SQLiteStorage.get_logs("train", run["name"]):
    step = row.pop("step")
    for tag, value in row.items():
        if isinstance(value, dict):
            images.setdefault(tag, []).append(step)
        elif tag != "timestamp":
            scalars.setdefault(tag, []).append([step, value])
params = SQLiteStorage.get_run_config("train", run["name"])
print(json.dumps({"scalars": scalars, "images": images, "params": params}))
"""


def test_each_step_is_there_once_as_in_metrics_jsonl(followed: Any) -> None:
    followed.check(followed.read("trackio", READ, str(followed.path / "trackio")))


@pytest.fixture
def server(trackers: Any, tmp_path: Path) -> Iterator[str]:
    """The address of a Trackio server of this test's own, with the token that lets write."""
    pythons, missing = trackers
    if "trackio" in missing:
        pytest.skip(missing["trackio"])
    places = {
        "TRACKIO_DIR": str(tmp_path / "server"),
        "HOME": str(tmp_path),
        "GRADIO_ANALYTICS_ENABLED": "False",
    }
    said = tmp_path / "server.log"
    with said.open("w") as out:
        command = [pythons["trackio"], "-P", "-m", "trackio.cli", "show"]
        process = subprocess.Popen(command, env=os.environ | places, stdout=out, stderr=out)
    try:
        end, found = time.monotonic() + 30, None
        while found is None and time.monotonic() < end:
            time.sleep(0.1)
            found = re.search(r"http://127\.0\.0\.1:\d+/?\?write_token=[\w-]+", said.read_text())
        assert found is not None, said.read_text()
        yield found.group()
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()


def test_a_server_has_each_step_once(
    server: str, train: Callable[..., Any], trackers: Any, run_script: Callable[..., Any], tmp_path: Path
) -> None:
    """It is not asked what it holds: the run's folder says what it was sent. Its token is in no file."""
    run = tmp_path / "sweep"
    words = ["train", "trainer=smoke", "logger=trackio", "accelerator=cpu", f"paths.run_dir={run}"]
    done = train(*words, "callback.evaluation.num_samples=64", TRACKIO_SERVER_URL=server)
    assert done.returncode == 0, done.stderr
    status = json.loads((run / "status.json").read_text())
    # as though the checkpoint were older than what was sent: all of it comes again
    for path in (run / "checkpoints").iterdir():
        path.unlink()
    (run / "status.json").write_text(json.dumps(status | {"state": "running", "examples_seen": 0}))
    done = train("resume", str(run), "trainer.max_examples=1280", TRACKIO_SERVER_URL=server)
    assert done.returncode == 0, done.stderr
    assert "write_errors" not in json.loads((run / "status.json").read_text())
    found = run_script(trackers[0]["trackio"], READ, str(tmp_path / "server"))
    assert [step for step, _ in found["scalars"]["loss/generator"]] == list(range(64, 1281, 64))
    assert found["images"]["samples"] == [0, 640, 1024, 1280]
    token = server.rpartition("=")[2].encode()
    assert not [path for path in run.rglob("*") if path.is_file() and token in path.read_bytes()]
