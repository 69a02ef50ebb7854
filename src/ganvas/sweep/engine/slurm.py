"""Jobs as tasks of SLURM job arrays, through submitit; they outlive the process that handed them in.

Each submission has a folder, ``<sweep>/slurm/<name>/``: what was submitted (written before it is), submitit's
script and output, and one file for each task that is over. With it a later process finds the jobs that still
wait or run, under the submission's name, and submits none of them again.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from ganvas.errors import OptionError, require
from ganvas.files.write import write_text
from ganvas.run.process.child import for_launchers
from ganvas.sweep.command import JobCommand
from ganvas.sweep.engine.node import (
    SECRETS_OF_ALL,
    SUBMISSION,
    Task,
    read_submission,
    read_task,
    stop_file,
)
from ganvas.sweep.engine.slurm_options import SlurmOptions
from ganvas.sweep.interface import Job

_OVER = (
    "COMPLETED FAILED CANCELLED TIMEOUT NODE_FAIL OUT_OF_MEMORY PREEMPTED BOOT_FAIL DEADLINE REVOKED GONE"
).split()
_ALL = 1_000_000
_LATE = 3  # looks at a task that SLURM has ended, before its missing file counts as a kill
_NAME = re.compile(r"ganvas-[0-9a-f]{12}")


@dataclass
class _Task:
    """A task that is not over, as far as anybody knows."""

    batch: Path
    number: int
    gone: int = 0  # how often SLURM said that it is over, without a word from the node

    @property
    def key(self) -> tuple[str, int]:
        return self.batch.name, self.number


class Slurm:
    """Hands whole batches of jobs in as arrays; jobs of earlier processes that still run are taken over.

    Args:
        command: what a job is.
        options: what each job asks for.
        n_jobs: jobs handed in at a time; None: all that there are.

    Raises:
        OptionError: submitit or SLURM's commands are missing, or SLURM refuses the options.
    """

    outlives = True  # jobs go on where this process ends, and a later one finds them

    def __init__(self, command: JobCommand, options: SlurmOptions, *, n_jobs: int | None = None) -> None:
        _require_installed()
        self.n_jobs = n_jobs
        self.command, self.options = replace(command, sweep=command.sweep.resolve()), options
        self.folder = self.command.sweep / "slurm"
        self._test_options()
        self._most = _largest_array()
        self._running: dict[int, _Task] = {}
        self._known = self._earlier()
        self._looked = 0.0

    def slots(self) -> int:
        """SLURM has a queue of its own: unless told else, whatever there is goes in at once."""
        return _ALL if self.n_jobs is None else self.n_jobs - len(self._running)

    def fits(self, job: Job) -> bool:
        return True

    def start(self, jobs: Sequence[Job]) -> None:
        known = {job.index: self._known.pop(job.index) for job in jobs if job.index in self._known}
        there = _in_queue({task.batch.name for task in known.values()}) if known else {}
        new = []
        for job in jobs:
            task = known.get(job.index)
            if task is not None and there.get(task.key, ("", "GONE"))[1] not in _OVER:
                self._running[job.index] = task
            else:
                new.append(job.index)
        before: str | None = None
        for begin in range(0, len(new), self._most):
            before = self._submit(new[begin : begin + self._most], after=before)

    def ended(self) -> list[tuple[int, int]]:
        if not self._running or time.monotonic() - self._looked < self.options.poll_s:
            return []
        self._looked = time.monotonic()
        try:
            there = _in_queue({task.batch.name for task in self._running.values()})
        except OptionError:  # the controller is away for a while: no news
            return []
        over = []
        for index, task in list(self._running.items()):
            code = read_task(task.batch, task.number).get("code")
            state = there.get(task.key, ("", "GONE"))[1]
            task.gone = task.gone + 1 if state in _OVER else 0
            if code is None and (task.gone >= _LATE or state == "CANCELLED"):
                code = 128 + signal.SIGTERM if state == "CANCELLED" else -signal.SIGKILL
            if isinstance(code, int):
                del self._running[index]
                over.append((index, code))
        return over

    def stop(self, indices: Sequence[int]) -> None:
        tasks = [self._running[index] for index in indices if index in self._running]
        for task in tasks:
            stop_file(task.batch, task.number).touch()  # first: a task that is about to begin sees it
        self._cancel(tasks, "--state=PENDING")
        # Without --signal, SLURM would leave a job KillWait (often 30 s) to save its state.
        self._cancel(tasks, "--state=RUNNING", "--signal=TERM")
        self._looked = 0.0

    def kill(self, indices: Sequence[int]) -> None:
        self._cancel([self._running[index] for index in indices if index in self._running])

    def close(self) -> None:
        for task in self._running.values():
            stop_file(task.batch, task.number).touch()
        self._cancel(list(self._running.values()))
        self._running.clear()

    def _submit(self, indices: Sequence[int], after: str | None) -> str:
        """One array; its id. What is in it lies on the disk before SLURM knows of it."""
        import submitit

        batch = self.folder / f"ganvas-{secrets.token_hex(6)}"
        batch.mkdir(parents=True)
        about = {
            "indices": list(indices),
            "submitted": time.time(),
            "signal_delay_s": self.options.signal_delay_s,
            "max_num_timeout": self.options.max_num_timeout,
        }
        write_text(batch / SUBMISSION, json.dumps(about) + "\n")
        bare = replace(self.command, secrets={})
        tasks = [
            Task(command=bare, index=index, batch=str(batch), number=number)
            for number, index in enumerate(indices)
        ]
        by_index = {index: dict(self.command.secrets.get(index, {})) for index in indices}
        with _environment(bare, {index: hidden for index, hidden in by_index.items() if hidden}):
            executor = submitit.SlurmExecutor(batch, python=self.options.python)
            executor.update_parameters(
                **self.options.parameters(), job_name=batch.name, teardown=[_after(executor.python, batch)]
            )
            if after is not None:  # the limit of jobs at a time is an array's
                executor.update_parameters(dependency=f"afterany:{after}")
            try:
                with executor.batch():
                    submitted = [executor.submit(task) for task in tasks]
            except submitit.core.utils.FailedJobError as error:
                shutil.rmtree(batch)
                raise _refused(str(error)) from error
        self._running |= {index: _Task(batch, number) for number, index in enumerate(indices)}
        return str(submitted[0].job_id).partition("_")[0]

    def _earlier(self) -> dict[int, _Task]:
        """Index -> task, of what earlier processes submitted and nobody has seen the end of."""
        found: dict[int, _Task] = {}
        for batch, indices in _submissions(self.folder):
            names = set(os.listdir(batch))
            for number, index in enumerate(indices):
                done = f"{number}.json" in names and "code" in read_task(batch, number)
                # One that was asked to end is as good as ended: a new attempt waits for its lock.
                if done or f"{number}.stop" in names:
                    found.pop(index, None)
                else:
                    found[index] = _Task(batch, number)
        return found

    def _cancel(self, tasks: Sequence[_Task], *how: str) -> None:
        if not tasks:
            return
        try:
            there = _in_queue({task.batch.name for task in tasks})
        except OptionError:
            return
        ids = [there[task.key][0] for task in tasks if task.key in there and there[task.key][1] not in _OVER]
        if ids:
            subprocess.run(["scancel", *how, *ids], capture_output=True, check=False)

    def _test_options(self) -> None:
        """Asks SLURM whether it would take such a job; nothing is submitted."""
        from submitit.slurm import slurm

        made = slurm._make_sbatch_string(command="true", folder="unused", **self.options.parameters())
        with _environment(self.command, {}):
            asked = subprocess.run(
                ["sbatch", "--test-only"], input=made, capture_output=True, text=True, check=False
            )
        if asked.returncode != 0:
            raise _refused(asked.stderr)


def _submissions(folder: Path) -> list[tuple[Path, list[int]]]:
    """The folders of all submissions and the jobs in each, oldest first; what is damaged is left out."""
    found = []
    for path in folder.glob("*"):
        about = read_submission(path) if _NAME.fullmatch(path.name) else {}
        if about:
            found.append((float(about["submitted"]), path, about["indices"]))
    return [(path, indices) for _, path, indices in sorted(found)]


@contextmanager
def _environment(command: JobCommand, hidden: dict[int, dict[str, str]]) -> Iterator[None]:
    """What sbatch hands on to the jobs: no trace of an allocation or a rank that the sweep itself runs in."""
    clean = {
        key: value
        for key, value in for_launchers(command.environment(-1)).items()
        if not key.startswith("SLURM_") or key == "SLURM_CONF"
    }
    if hidden:
        clean[SECRETS_OF_ALL] = json.dumps(hidden)
    old = dict(os.environ)
    try:
        os.environ.clear()
        os.environ.update(clean)
        yield
    finally:
        os.environ.clear()
        os.environ.update(old)


def _after(python: str, batch: Path) -> str:
    """The line of the batch script that follows the job."""
    return f"{python} -m ganvas.sweep.engine.node {shlex.quote(str(batch))} $?"


def _in_queue(names: Iterable[str]) -> dict[tuple[str, int], tuple[str, str]]:
    """(submission, task) -> (SLURM's id, state), of all tasks that SLURM still knows of.

    Raises:
        OptionError: SLURM gives no answer.
    """
    argv = [
        "squeue",
        "--noheader",
        "--array",
        "--states=all",
        f"--name={','.join(sorted(names))}",
        "--format=%j|%K|%i|%T",
    ]
    answer = subprocess.run(argv, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise _refused(answer.stderr)
    found = {}
    for line in answer.stdout.splitlines():
        name, number, job, state = line.split("|")
        found[name, int(number) if number.isdigit() else 0] = job, state
    return found


def _largest_array() -> int:
    """How many tasks the cluster takes in one array (MaxArraySize is the first number it refuses)."""
    shown = subprocess.run(["scontrol", "show", "config"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", shown, re.MULTILINE)
    return max(1, int(found[1]) - 1) if found else 1000


def _require_installed() -> None:
    require(
        find_spec("submitit") is not None,
        "hydra/launcher",
        "slurm",
        "needs submitit; pip install 'ganvas[slurm]'",
    )
    missing = [
        name for name in ("sbatch", "srun", "squeue", "scancel", "scontrol") if shutil.which(name) is None
    ]
    require(
        not missing,
        "hydra/launcher",
        "slurm",
        f"needs SLURM's {', '.join(missing)}; start the sweep on a machine of the cluster",
    )


def _refused(said: str) -> OptionError:
    text = " ".join(said.replace("sbatch: error:", "").replace("sbatch:", "").split())
    return OptionError("hydra/launcher", "slurm", f"SLURM refuses ({text}); change hydra.launcher.*")
