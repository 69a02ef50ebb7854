"""Sweeps as processes of their own, started, killed and looked at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PATIENCE = 180.0  # seconds that anything here may take on a busy machine


def start(*words: str, where: Path, **environment: str) -> subprocess.Popen[str]:
    """``ganvas WORDS`` in a folder, in a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "ganvas", *words],
        cwd=where,
        text=True,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
    )


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """The condition's value as soon as it is true."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {PATIENCE:g} s for {what}")


def the_sweep(where: Path) -> Path | None:
    """The one sweep under a folder's outputs, once it is there."""
    found = list(where.glob("outputs/*/*/sweep.json"))
    assert len(found) <= 1, found
    return found[0].parent if found else None


def record(sweep: Path, index: int) -> dict[str, Any]:
    path = sweep / "jobs" / f"{index:03d}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def run_dir(sweep: Path, index: int) -> Path:
    """A job's run folder."""
    (found,) = sweep.glob(f"{index:03d}_*")
    return found


def processes_of(sweep: Path) -> list[int]:
    """Processes whose command line names the sweep."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(sweep.resolve()).encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found
