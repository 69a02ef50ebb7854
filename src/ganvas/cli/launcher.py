"""Hydra launcher: each job of a sweep is a fresh process of its own.

In one process the jobs of ``-m`` share torch's state, a crash takes the sweep along, and under DDP every
rank runs the whole sweep again. A fresh ``ganvas train`` per job, told its folder, has none of this.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher

from ganvas.runtime.orphan import LAUNCHER
from ganvas.runtime.plain_yaml import dump_plain
from ganvas.runtime.redact import redacted, redacted_override

# What a rank of an enclosing job would leave in the environment.
_RANK_VARIABLES = (
    "LOCAL_RANK",
    "RANK",
    "WORLD_SIZE",
    "NODE_RANK",
    "MASTER_ADDR",
    "MASTER_PORT",
    "GANVAS_RUN_DIR",
)


class IsolatedLauncher(Launcher):
    """Runs jobs one after the other; a failing one does not stop the others.

    A job's folder is ``<sweep>/<number>_<what differs>``; its return value is the child's exit code.
    """

    def setup(self, *, hydra_context: Any, task_function: Any, config: Any) -> None:
        self.config, self.hydra_context = config, hydra_context

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        sweep_dir = Path(self.config.hydra.sweep.dir)
        _redact(sweep_dir / "multirun.yaml")
        varied = differing(job_overrides)
        return [
            self._launch_one(index, list(overrides), sweep_dir / f"{index:03d}_{slug(differs)}")
            for index, (overrides, differs) in enumerate(zip(job_overrides, varied), start=initial_job_idx)
        ]

    def _launch_one(self, index: int, overrides: list[str], folder: Path) -> JobReturn:
        print(f"[job {index}] {' '.join(map(redacted_override, overrides))}", flush=True)
        words = [*overrides, f"paths.run_dir='{folder}'"]
        if os.environ.get("GANVAS_CONFIG_DIR"):
            words += ["--config-dir", os.environ["GANVAS_CONFIG_DIR"]]
        environment = {key: value for key, value in os.environ.items() if key not in _RANK_VARIABLES}
        environment[LAUNCHER] = str(os.getpid())  # a job ends soon after its sweep, however that ended
        code = subprocess.run(
            [sys.executable, "-m", "ganvas", "train", *words], env=environment, check=False
        ).returncode
        result = JobReturn(overrides=overrides, working_dir=str(folder), task_name=f"job {index}")
        result.status = JobStatus.COMPLETED  # the exit code is the result: Hydra raises on FAILED
        result.return_value = code
        return result


def _redact(path: Path) -> None:
    """Hides the secrets in the file that Hydra's sweeper writes before the first job."""
    if path.exists():
        path.write_text(dump_plain(redacted(yaml.safe_load(path.read_text()))))


def differing(jobs: Sequence[Sequence[str]]) -> list[list[str]]:
    """Of each job's overrides, those that not every job has (all of them where there is one job)."""
    shared = set(jobs[0]).intersection(*jobs) if len(jobs) > 1 else set()
    return [[override for override in job if override not in shared] for job in jobs]


def slug(overrides: Sequence[str]) -> str:
    """A folder name from a job's overrides: last key and value of each, no ``=`` (Hydra's grammar)."""
    parts = [
        f"{o.partition('=')[0].rpartition('.')[2].rpartition('/')[2]}-{o.partition('=')[2]}"
        for o in map(redacted_override, overrides)
    ]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", "_".join(parts)).strip("-")[:80] or "job"
