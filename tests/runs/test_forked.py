"""A fork of the server is a process as any other: what the other tests of commands stand on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

_SOURCE = """
import json, os, signal, sys
print("out", os.environ["MINE"], os.getcwd(), os.getsid(0) == os.getpid(), "HOME" in os.environ)
print("err", sys.stdin.read(), file=sys.stderr)
os.write(int(os.environ["PIPE"]), b"piped")
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
assert sorted(map(int, os.listdir("/proc/self/fd")))[:3] == [0, 1, 2]
if os.environ["MINE"] == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(int(os.environ["MINE"]))
"""


def start(folder: Path, mine: str, pipe: int) -> subprocess.Popen[str]:
    """A user's module in the place of the ranks' script, by the same door."""
    (folder / "rank_script.py").write_text(_SOURCE)
    return subprocess.Popen(
        [sys.executable, "-m", "rank_script"], cwd=folder, env={"MINE": mine, "PIPE": str(pipe)}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=[pipe],
        start_new_session=True,
    )  # fmt: skip


@pytest.mark.parametrize(("mine", "code"), [("0", 0), ("7", 7), ("kill", -9)])
def test_streams_files_folder_environment_session_and_code(mine: str, code: int, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    process = start(tmp_path, mine, writing)
    os.close(writing)
    assert type(process).__name__ == "Forked"
    out, err = process.communicate("word", timeout=120)
    assert process.returncode == code
    assert err == "err word\n"
    assert out == ("" if mine == "kill" else f"out {mine} {tmp_path} True False\n")  # a buffer dies with it
    assert os.read(reading, 10) == b"piped"
    assert os.read(reading, 10) == b""  # nobody else holds the other end
    os.close(reading)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_signals_end_the_very_process(number: int, tmp_path: Path) -> None:
    (tmp_path / "rank_script.py").write_text("import time\nprint('here', flush=True)\ntime.sleep(600)\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "rank_script"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"here\n"
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    os.kill(process.pid, number)
    assert process.wait(60) == -number
    process.stdout.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


@pytest.mark.real_processes
def test_a_test_may_have_real_processes() -> None:
    assert subprocess.Popen.__name__ == "Popen"
