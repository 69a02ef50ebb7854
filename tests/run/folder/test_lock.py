"""One process writes a run."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ganvas.errors import OptionError
from ganvas.run.folder import lock as module
from ganvas.run.folder.lock import RunLock, is_held, read_owner

_HOLD = """
import sys, time, os
from pathlib import Path
from ganvas.run.folder.lock import RunLock
with RunLock(Path(sys.argv[1])):
    if len(sys.argv) > 2 and os.fork() == 0:  # a loader process, which outlives a killed run for a while
        time.sleep(60)
        os._exit(0)
    print("held", flush=True)
    time.sleep(60)
"""


def hold(folder: Path, *arguments: str) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(folder), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("arguments", [(), ("fork",)])
def test_another_process_is_named_and_its_lock_goes_with_it(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    process = hold(tmp_path, *arguments)
    try:
        assert is_held(tmp_path)
        with (
            pytest.raises(OptionError, match=rf"written by process {process.pid} on .* 0 s ago"),
            RunLock(tmp_path),
        ):
            pass
        assert read_owner(tmp_path)["pid"] == process.pid
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with RunLock(tmp_path):  # taken over
            assert read_owner(tmp_path)["pid"] == os.getpid()
    finally:
        with contextlib.suppress(ProcessLookupError):  # where nobody was left
            os.killpg(process.pid, signal.SIGKILL)


def test_it_is_nobodys_in_the_end(tmp_path: Path) -> None:
    with RunLock(tmp_path):
        assert is_held(tmp_path)
    assert not is_held(tmp_path)
    assert read_owner(tmp_path) == {}
    with RunLock(tmp_path):
        pass


@pytest.mark.parametrize(("age", "taken"), [(10.0, False), (module.STALE + 10, True)])
def test_a_lock_of_another_machine_is_its_while_it_shows_life(
    age: float, taken: bool, tmp_path: Path
) -> None:
    """Such a file system may not share the kernel's lock."""
    path = tmp_path / ".lock"
    path.write_text(json.dumps({"pid": 1, "host": "another", "since": "2026-01-01T00:00:00+0000"}))
    os.utime(path, (time.time() - age,) * 2)
    assert is_held(tmp_path) is not taken
    if taken:
        with RunLock(tmp_path):
            assert read_owner(tmp_path)["pid"] == os.getpid()
    else:
        with pytest.raises(OptionError, match=r"process 1 on another .* 10 s ago"), RunLock(tmp_path):
            pass


def test_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT", 0.02)
    with RunLock(tmp_path):
        os.utime(tmp_path / ".lock", (0, 0))
        deadline = time.monotonic() + 20
        while read_owner(tmp_path)["age"] > 1000:
            assert time.monotonic() < deadline
            time.sleep(0.01)
