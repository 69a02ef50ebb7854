"""A real SLURM of this machine for tests; see tests/slurm/up.sh for its partitions."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

SCRIPTS = Path(__file__).parents[1] / "slurm"


def missing() -> str | None:
    """Why no SLURM can be started here; None where it can."""
    if os.getuid() != 0:
        return "a SLURM of its own needs root"
    absent = [name for name in ("slurmctld", "slurmd", "srun", "munged") if shutil.which(name) is None]
    return f"{', '.join(absent)} not installed: apt-get install slurm-wlm munge" if absent else None


def ask(*words: str) -> str:
    """What one of SLURM's commands prints; fails with what it says."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


def until(fits: Callable[[], object], seconds: float = 120.0) -> None:
    """Waits; a test that hangs says where SLURM stands."""
    end = time.monotonic() + seconds
    while not fits():
        assert time.monotonic() < end, ask("squeue", "--states=all")
        time.sleep(0.05)


def no_waiting() -> None:
    """A job that went back into the queue waits two minutes in it, by SLURM's own rule; here, two seconds.

    Sooner, it would be refused: in the second of its end its credential is revoked.
    """
    for line in ask("squeue", "--noheader", "--array", "--states=PENDING", "--format=%i|%r|%S").splitlines():
        number, reason, start = line.split("|")
        if reason != "BeginTime" or start == "N/A":
            continue
        if datetime.fromisoformat(start) - datetime.now() > timedelta(seconds=10):
            words = ["scontrol", "update", f"JobId={number}", "StartTime=now+2seconds"]
            subprocess.run(words, capture_output=True, check=False)


def preempt() -> None:
    """Another job wants the machine, and has the higher priority."""
    ask("sbatch", "--partition=high", "--cpus-per-task=2", "--output=/dev/null", "--wrap=sleep 0.5")


@contextmanager
def cluster(folder: Path) -> Iterator[None]:
    """SLURM in a folder, for as long as the block lasts; SLURM_CONF says where it is."""
    subprocess.run([SCRIPTS / "up.sh", folder], check=True, timeout=60)
    os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
    try:
        yield
    finally:
        subprocess.run([SCRIPTS / "down.sh", folder], check=True, timeout=60)
        del os.environ["SLURM_CONF"]
