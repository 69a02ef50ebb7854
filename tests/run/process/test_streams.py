"""Commands whose output nobody reads, or that no disk takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SMOKE = ("trainer=smoke", "callback=none", "logger=none")


def ganvas(*words: str, redirect: str = "") -> subprocess.CompletedProcess[str]:
    """``ganvas WORDS`` by a shell, with what follows the words there."""
    line = f'"$0" -P -m ganvas "$@" {redirect}; echo "code $?" >&2'
    command = ["bash", "-c", line, sys.executable, *words]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["runs", "ls"], ["runs", "--help"]])
def test_a_full_disk_is_one_line(words: list[str]) -> None:
    lines = ganvas(*words, redirect="> /dev/full").stderr.splitlines()
    assert len(lines) == 2, lines
    assert lines[0].startswith("stdout: c")
    assert "(No space left on device)" in lines[0]
    assert lines[1] == "code 1"


@pytest.mark.parametrize("words", [["--help"], ["runs", "ls"]])
def test_a_reader_that_is_gone_ends_a_command_that_only_tells(words: list[str]) -> None:
    done = ganvas(*words, redirect="| true; exec >&-; (exit ${PIPESTATUS[0]})")
    code = done.stderr.splitlines()
    assert code in (["code 141"], ["code 0"]), "0: it was read before the reader went"
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "ganvas", *words],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_unbuffered_output_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed is there although the process ends without a flush."""
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    source = (
        "import os, sys; from ganvas.run.process.streams import prepare_streams; prepare_streams('train'); "
        "print('out'); print('err', file=sys.stderr); os._exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("out\n", "err\n")
    monkeypatch.delenv("PYTHONUNBUFFERED")
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "err\n")


@pytest.mark.parametrize("redirect", [">&-", ">&- 2>&-", "<&-"])
def test_closed_streams(redirect: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "Traceback" not in (text := ganvas("runs", "ls", redirect=f"{redirect}").stderr)
    assert text in ("code 0\n", "")


def test_errors_keep_their_exit_code_where_stderr_is_full() -> None:
    line = '"$0" -P -m ganvas trian 2> /dev/full; echo "code $?"'
    done = subprocess.run(["bash", "-c", line, sys.executable], capture_output=True, text=True, check=False)
    assert done.stdout == "code 2\n"


@pytest.mark.slow
@pytest.mark.parametrize("way", [[], ["-m"]], ids=["run", "sweep"])
def test_training_goes_on_where_nobody_reads(
    way: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    reading, writing = os.pipe()
    os.close(reading)
    words = ["train", *way, *(["seed=1,2"] if way else []), *SMOKE]
    done = subprocess.run(
        [sys.executable, "-m", "ganvas", *words], stdout=writing, stderr=writing, timeout=300, check=False
    )
    os.close(writing)
    assert done.returncode == 0
    states = [json.loads(path.read_text())["state"] for path in tmp_path.rglob("status.json")]
    assert states == ["finished"] * (2 if way else 1)


@pytest.mark.slow
def test_training_whose_output_no_disk_takes_is_whole_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = ganvas("train", *SMOKE, redirect="> /dev/full").stderr.splitlines()
    assert lines[-2:] == ["stdout: could not be written (No space left on device)", "code 1"]
    (path,) = tmp_path.rglob("status.json")
    assert json.loads(path.read_text())["state"] == "finished"


@pytest.mark.slow
@pytest.mark.real_processes
@pytest.mark.parametrize("encoding", ["ascii", "latin-1:strict", "utf-8"])
def test_what_a_stream_cannot_hold_is_a_question_mark(
    encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    name = os.fsdecode(b"\xc3\xa4\xe2\x82\xac")  # an umlaut and a euro sign
    for words in (["init", name], ["shards", "data=digits", "--out", f"{name}2"], ["runs", "ls"], ["--help"]):
        command = [sys.executable, "-P", "-m", "ganvas", *words]
        done = subprocess.run(command, capture_output=True, timeout=300, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        if words[0] == "init":
            shown = {"ascii": b"??", "latin-1:strict": b"\xe4?", "utf-8": b"\xc3\xa4\xe2\x82\xac"}
            assert done.stdout.startswith(shown[encoding] + b"/README.md")
    bad = subprocess.run(
        [*command[:4], "init", os.fsdecode(b"a\xff")], capture_output=True, timeout=300, check=False
    )
    assert (bad.returncode, bad.stdout) == (2, b"")
    assert bad.stderr.count(b"\n") == 1


@pytest.mark.slow
def test_outputs_are_whole_where_nobody_can_be_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is there, and the exit code says that its name was not printed."""
    monkeypatch.chdir(tmp_path)
    for number, (redirect, said) in enumerate(
        [("> /dev/full", "stdout: cannot be written (No space left on device)"), (">&-", "")]
    ):
        lines = ganvas("init", f"new{number}", redirect=redirect).stderr.splitlines()
        assert all(line.startswith("stdout: ") for line in lines[:-1])
        assert lines[-1] == f"code {int(bool(said))}"
        assert not said or lines[0].startswith(said)
        assert (tmp_path / f"new{number}" / "README.md").stat().st_size > 0
