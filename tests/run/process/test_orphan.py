"""Ranks and jobs end soon after what started them, also where that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

_CHILD = """
import signal, sys, time
from ganvas.run.process import orphan
orphan.watch_parent()
if sys.argv[1] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""
_PARENT = """
import os, subprocess, sys, time
environment = dict(os.environ)
if sys.argv[1] == "rank":
    environment["LOCAL_RANK"] = "1"
elif sys.argv[1] != "free":
    environment["GANVAS_LAUNCHER"] = str(os.getpid())
command = [sys.executable, "-c", sys.argv[2], sys.argv[1]]
child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_job_whose_launcher_is_gone_before_it_looks_ends_at_once() -> None:
    gone = subprocess.Popen([sys.executable, "-S", "-c", ""])
    gone.wait()
    for launcher, code in ((str(gone.pid), 143), (str(os.getpid()), 0), ("nobody", 0)):
        environment = os.environ | {"GANVAS_LAUNCHER": launcher}
        source = _CHILD.replace("time.sleep(60)", "")
        child = subprocess.run([sys.executable, "-c", source, "job"], env=environment, check=False)
        assert child.returncode == code, launcher


@pytest.mark.parametrize("kind", ["rank", "job", "stubborn", "free"])
def test_nobody_outlives_a_killed_launcher(kind: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, kind, _CHILD],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    try:
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        killed = time.monotonic()
        while is_alive(child) and time.monotonic() - killed < 5.0:
            time.sleep(0.05)
        assert is_alive(child) == (kind == "free")  # a process that nobody launched is its own master
    finally:
        if is_alive(child):
            os.kill(child, signal.SIGKILL)
