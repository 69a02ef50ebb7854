"""Processes of this machine: which devices each sees, what is left of them."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from ganvas.sweep.command import JobCommand
from ganvas.sweep.engine.local import Local
from ganvas.sweep.interface import Job

# Writes when it began and ended and what it saw; runs until its file `go/INDEX` is there.
_SCRIPT = """
import json, os, subprocess, sys, time
folder, index = sys.argv[1], sys.argv[2]
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
seen = {"gpus": os.environ.get("CUDA_VISIBLE_DEVICES"), "rank": os.environ.get("LOCAL_RANK"),
        "threads": os.environ.get("OMP_NUM_THREADS"), "child": child.pid}
with open(f"{folder}/{index}.seen", "w") as file:
    json.dump(seen, file)
os.rename(f"{folder}/{index}.seen", f"{folder}/{index}.begun")
while not os.path.exists(f"{folder}/{index}.go"):
    time.sleep(0.01)
sys.exit(int(index) % 3)
"""


class Waiting(JobCommand):
    """Jobs that wait until they are let go."""

    def argv(self, index: int) -> list[str]:
        return [sys.executable, "-c", _SCRIPT, str(self.sweep), str(index)]


def job(index: int, devices: int = 1) -> Job:
    return Job(index=index, key=str(index), name=f"{index:03d}_x", differs=[], variant=index, devices=devices)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "jobs").mkdir()
    return tmp_path


def begun(folder: Path, index: int) -> dict:
    path = folder / f"{index}.begun"
    until = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    return json.loads(path.read_text())


def let_go(engine: Local, folder: Path, index: int) -> tuple[int, int]:
    (folder / f"{index}.go").touch()
    until = time.monotonic() + 60
    while not (over := engine.ended()):
        assert time.monotonic() < until
        time.sleep(0.01)
    (only,) = over
    return only


def hand_out(engine: Local, waiting: list[Job]) -> list[int]:
    """As the pool does: while there is room."""
    started = []
    while waiting and engine.slots() and engine.fits(waiting[0]):
        started.append(waiting[0].index)
        engine.start([waiting.pop(0)])
    return started


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_gpu_goes_to_the_next_job_as_soon_as_it_is_free(folder: Path) -> None:
    """No barrier: the third job begins when the second ends, while the first still runs."""
    engine = Local(Waiting(folder), n_jobs=2, gpus=["4", "7"])
    waiting = [job(index) for index in range(4)]
    try:
        assert hand_out(engine, waiting) == [0, 1]
        assert [begun(folder, index)["gpus"] for index in (0, 1)] == ["4", "7"]
        assert engine.slots() == 0
        assert let_go(engine, folder, 1) == (1, 1)
        assert hand_out(engine, waiting) == [2]
        assert begun(folder, 2)["gpus"] == "7"
        assert let_go(engine, folder, 2) == (2, 2)
        assert let_go(engine, folder, 0) == (0, 0)
        assert hand_out(engine, waiting) == [3]
        assert begun(folder, 3)["gpus"] in ("4", "7")
    finally:
        engine.close()


def test_jobs_get_as_many_gpus_as_they_ask_for(folder: Path) -> None:
    engine = Local(Waiting(folder), n_jobs=3, gpus=["0", "1", "2"])
    waiting = [job(0, devices=1), job(1, devices=3), job(2, devices=1)]
    try:
        assert hand_out(engine, waiting) == [0]  # the second waits for three; nobody overtakes it
        assert begun(folder, 0)["gpus"] == "0"
        let_go(engine, folder, 0)
        assert hand_out(engine, waiting) == [1]
        assert sorted(begun(folder, 1)["gpus"].split(",")) == ["0", "1", "2"]
        let_go(engine, folder, 1)
        assert hand_out(engine, waiting) == [2]
        assert len(begun(folder, 2)["gpus"]) == 1
    finally:
        engine.close()


def test_several_gpus_a_job(folder: Path) -> None:
    engine = Local(Waiting(folder), n_jobs=2, gpus=list("abcd"), gpus_per_job=2)
    try:
        assert hand_out(engine, [job(0), job(1), job(2)]) == [0, 1]
        seen = [begun(folder, index)["gpus"].split(",") for index in (0, 1)]
        assert sorted(seen[0] + seen[1]) == list("abcd")
    finally:
        engine.close()


@pytest.mark.parametrize("how", ["it ended", "kill", "close"])
def test_nothing_is_left_of_a_job(how: str, folder: Path) -> None:
    engine = Local(Waiting(folder), n_jobs=1)
    engine.start([job(0)])
    child = begun(folder, 0)["child"]
    assert is_alive(child)
    if how == "it ended":
        let_go(engine, folder, 0)
    elif how == "kill":
        engine.kill([0])
    else:
        engine.close()
    until = time.monotonic() + 60
    while is_alive(child):
        assert time.monotonic() < until
        time.sleep(0.01)
    engine.close()


def test_the_environment_is_clean(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep that is started from a rank's shell does not make ranks of its jobs."""
    monkeypatch.setenv("LOCAL_RANK", "3")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    engine = Local(Waiting(folder), n_jobs=1, threads=2)
    try:
        engine.start([job(0)])
        seen = begun(folder, 0)
        assert (seen["rank"], seen["gpus"], seen["threads"]) == (None, "1", "2")
    finally:
        engine.close()


def test_a_job_can_be_asked_to_end(folder: Path) -> None:
    engine = Local(Waiting(folder), n_jobs=2)
    engine.start([job(0), job(1)])
    for index in (0, 1):
        begun(folder, index)
    engine.stop([1, 5])
    until = time.monotonic() + 60
    over: Sequence[tuple[int, int]] = []
    while not over:
        assert time.monotonic() < until
        over = engine.ended()
        time.sleep(0.01)
    assert list(over) == [(1, -15)]
    assert os.getpgid(0) == os.getpgrp()
    engine.close()
