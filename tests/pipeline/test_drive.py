"""Stages follow each other in processes of their own; the first that does not end well ends the pipeline."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from ganvas.pipeline.definition import Stage
from ganvas.pipeline.drive import Drive, says
from ganvas.pipeline.manifest import Pipeline

_SECTIONS = {name: {} for name in ("paths", "data", "model", "trainer", "accelerator")}
# Counts the signals that it gets, and ends with the second.
_COUNTS = """
import pathlib, signal, sys, time
came = []
def note(number, _):
    came.append(number)
    pathlib.Path("came").write_text(" ".join(map(str, came)))
signal.signal(signal.SIGTERM, note)
pathlib.Path("ready").touch()
until = time.monotonic() + 30
while len(came) < {count} and time.monotonic() < until:
    time.sleep(0.02)
sys.exit(128 + came[0] if came else 1)
"""


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    monkeypatch.chdir(tmp_path)
    stages = [Stage(index, name, [], True, config=dict(_SECTIONS)) for index, name in enumerate("abc")]
    return Pipeline(tmp_path / "p", {}, stages)


def drive(pipeline: Pipeline, *sources: str) -> tuple[int, str | None, list[str]]:
    """Exit code, the stage that ended it, and the stages that began."""
    began: list[str] = []
    one = Drive(
        pipeline,
        argv_of=lambda stage: [sys.executable, "-S", "-c", sources[stage.index]],
        environment_of=lambda _: dict(os.environ),
        tell=lambda stage: began.append(stage.name),
    )
    code, stage = one.run()
    return code, None if stage is None else stage.name, began


def states(pipeline: Pipeline) -> list[tuple[str, int | None]]:
    return [(stage.state, stage.code) for stage in Pipeline.read(pipeline.folder).stages]


def test_a_failed_stage_ends_it_and_is_where_it_goes_on(pipeline: Pipeline) -> None:
    fails = "import os, sys; sys.exit(0 if os.path.exists('mended') else 3)"
    assert drive(pipeline, "pass", fails, "pass") == (3, "b", ["a", "b"])
    assert states(pipeline) == [("finished", 0), ("failed", 3), ("waiting", None)]
    Path("mended").touch()
    assert drive(Pipeline.read(pipeline.folder), "raise SystemExit(9)", fails, "pass") == (
        0,
        None,
        ["b", "c"],
    )
    assert states(pipeline) == [("finished", 0)] * 3


def test_a_killed_stage_gives_the_shells_exit_code(pipeline: Pipeline) -> None:
    assert drive(pipeline, "import os; os.kill(os.getpid(), 9)", "", "") == (137, "a", ["a"])
    assert states(pipeline)[0] == ("interrupted", 137)
    assert (says(137), says(143), says(2)) == (
        "killed by SIGKILL",
        "stopped by SIGTERM",
        "failed with exit code 2",
    )


@pytest.mark.parametrize("count", [1, 2])
def test_every_signal_is_handed_on_once(count: int, pipeline: Pipeline) -> None:
    def send() -> None:
        for number in range(count):
            name = Path("came" if number else "ready")
            while not name.exists():
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=send)
    thread.start()
    assert drive(pipeline, _COUNTS.replace("{count}", str(count)), "", "") == (143, "a", ["a"])
    thread.join()
    assert Path("came").read_text().split() == ["15"] * count
    assert states(pipeline)[0] == ("interrupted", 143)
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_signal_that_the_stage_did_not_heed_ends_the_pipeline_behind_it(pipeline: Pipeline) -> None:
    heedless = "import os, signal; signal.signal(15, signal.SIG_IGN); os.kill(os.getppid(), 15)"
    assert drive(pipeline, heedless, "pass", "pass") == (143, "b", ["a"])
    assert states(pipeline) == [("finished", 0), ("waiting", None), ("waiting", None)]


def test_nothing_of_a_stage_outlives_it(pipeline: Pipeline) -> None:
    leaves = (
        "import subprocess, sys, pathlib; one = subprocess.Popen([sys.executable, '-S', '-c', "
        "'import time; time.sleep(60)']); pathlib.Path('left').write_text(str(one.pid))"
    )
    assert drive(pipeline, leaves, "pass", "pass")[0] == 0
    stat = Path(f"/proc/{Path('left').read_text()}/stat")
    until = time.monotonic() + 10
    while stat.exists() and " Z " not in stat.read_text():
        assert time.monotonic() < until
        time.sleep(0.02)
