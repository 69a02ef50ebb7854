"""The real command line, run in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def ganvas(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """``ganvas("train", "model=dcgan")`` in tmp_path; ``code`` is the exit code that must come (None: any)."""

    def run(*words: str, code: int | None = 0, **env: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"OMP_NUM_THREADS": "1"} | env
        done = subprocess.run(
            [sys.executable, "-m", "ganvas", *words],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        if code is not None:
            assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return run
