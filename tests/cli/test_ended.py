"""A command that a signal ends leaves nothing of what it was writing, and the older file as it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ganvas.cli.main import main
from ganvas.files.write import WholeFile, new_folder
from ganvas.run.process.signals import raise_terminated


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_the_older_file_stays(
    number: signal.Signals,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "x").write_text("old")

    def command(words: list[str]) -> int:
        with new_folder(tmp_path / "new") as folder, WholeFile(tmp_path / "x") as file:
            folder.write("a", b"a")
            file.write(b"half")
            try:
                os.kill(os.getpid(), number)
                time.sleep(5)
            finally:
                if number == signal.SIGTERM:
                    os.kill(os.getpid(), number)  # once more, as some launchers do: the cleaning goes on
        return 0

    monkeypatch.setattr("ganvas.cli.runs.runs.run", command)
    before = signal.getsignal(signal.SIGTERM)
    restore = raise_terminated()
    try:
        assert main(["runs", "ls"]) == code
    finally:
        restore()
    assert signal.getsignal(signal.SIGTERM) is before
    name = "interrupted" if number == signal.SIGINT else f"ended by {number.name}"
    assert capsys.readouterr().err == f"{name}\n"
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("x", "old")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_child_of_a_fork_ends_at_once(number: signal.Signals) -> None:
    restore = raise_terminated()
    try:
        if (child := os.fork()) == 0:
            try:
                os.kill(os.getpid(), number)
                time.sleep(5)
            finally:
                os._exit(0)
    finally:
        restore()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -number


@pytest.mark.slow
@pytest.mark.parametrize("name", ["x.npz", "x.png", "new/"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_samples_that_a_signal_ends(number: signal.Signals, name: str, outputs: Path, tmp_path: Path) -> None:
    run = str(outputs / "train" / "a_gan")
    words = [sys.executable, "-P", "-m", "ganvas", "sample", run, "--num", "300000", "--out", name]
    if not name.endswith("/"):
        (tmp_path / name).write_text("old")
    there = sorted(tmp_path.rglob("*"))
    process = subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while sorted(tmp_path.rglob("*")) == there and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(number)
    error = process.communicate(timeout=60)[1]
    if number == signal.SIGKILL:
        assert process.returncode == -9
        assert (
            main(["sample", run, "--num", "4", "--out", str(tmp_path / name) + "/" * name.endswith("/")]) == 0
        )
        left = {path.name for path in tmp_path.rglob("*") if path.name.startswith(".")}
        assert left == set(), "the next writer takes away what is left"
        return
    said = {signal.SIGTERM: "ended by SIGTERM\n", signal.SIGINT: "interrupted\n"}
    assert (process.returncode, error) == (128 + number, said[number])
    assert sorted(tmp_path.rglob("*")) == there
    assert all(path.read_text() == "old" for path in there)
