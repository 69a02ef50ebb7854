"""What runs on a node of a SLURM cluster: before a job (in its step), and after it (in the batch script).

A task of the array turns into ``ganvas job`` (exec), so that SLURM's signals reach that process, and once:
some clusters signal a task alone, some all that it has started, and a run that gets two signals ends unsaved.
Once it has ended, ``python -m ganvas.sweep.engine.node BATCH CODE`` decides from its exit code:

- stopped by USR1 or USR2 (time is nearly up, or the job is preempted): it goes back into the queue;
- stopped by SIGTERM: it goes back where SLURM preempts it and would leave it ended; ``scancel`` is the end;
- else the job is over: its code is written down, for the sweep to read.
"""

from __future__ import annotations

import calendar
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganvas.files.plain import load_object
from ganvas.files.schema import is_count, is_finite, is_whole, listing, misfit
from ganvas.files.text import say
from ganvas.files.write import write_text
from ganvas.run.process.child import without_launchers
from ganvas.sweep.command import SECRETS, JobCommand
from ganvas.sweep.records import STOPPED, Record

SECRETS_OF_ALL = "GANVAS_SECRETS_OF_ALL"  # JSON, index -> key -> value: one array has one environment
SUBMISSION = "submission.json"
_SUBMITTED = {
    "indices": listing(is_count),
    "submitted": is_finite,
    "signal_delay_s": is_count,
    "max_num_timeout": is_count,
}
_TOLD_BY_SLURM = (128 + signal.SIGUSR1, 128 + signal.SIGUSR2)
_TERMINATED = 128 + signal.SIGTERM
_SLACK = 90  # seconds that SLURM may warn before it was asked to (its own resolution is a minute)


def task_file(batch: Path, task: int) -> Path:
    """``{"code", "timeouts"}`` of a task; ``code`` is there once the job is over for good."""
    return batch / f"{task}.json"


def read_task(batch: Path, task: int) -> dict[str, Any]:
    """What is in :func:`task_file`; empty where it is absent or damaged."""
    value = load_object(task_file(batch, task))
    return value if misfit(value, {}, {"code": is_whole, "timeouts": is_count}) is None else {}


def read_submission(batch: Path) -> dict[str, Any]:
    """What a submission noted of itself; empty where that is absent or damaged."""
    value = load_object(batch / SUBMISSION)
    return value if misfit(value, _SUBMITTED) is None else {}


def stop_file(batch: Path, task: int) -> Path:
    """Is there once the sweep has asked the task to end: it does not begin, nor go back into the queue."""
    return batch / f"{task}.stop"


@dataclass(frozen=True, kw_only=True)
class Task:
    """One task of an array; called by submitit on the node, it becomes the job.

    Attributes:
        command: the sweep's jobs, without secrets: this object lies in a file of the sweep.
        index: the job.
        batch: the submission's folder.
        number: the task's place in the submission.
    """

    command: JobCommand
    index: int
    batch: str
    number: int

    def __call__(self) -> None:
        if stop_file(Path(self.batch), self.number).exists():
            sys.exit(_TERMINATED)
        with Record(self.command.sweep, self.index).log.open("ab") as log:
            sys.stdout.flush()
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        argv = self.command.argv(self.index)
        for number in (signal.SIGTERM, signal.SIGCONT, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, signal.SIG_DFL)  # submitit's
        os.execvpe(argv[0], argv, environment(self.index, os.environ))


def environment(index: int, given: Mapping[str, str]) -> dict[str, str]:
    """A job's environment from its task's: of the secrets, its own."""
    clean = {key: value for key, value in without_launchers(given).items() if key != SECRETS_OF_ALL}
    secrets = json.loads(given.get(SECRETS_OF_ALL, "{}")).get(str(index))
    if secrets:
        clean[SECRETS] = json.dumps(secrets)
    return clean


def after(batch: Path, number: int, code: int) -> int:
    """Puts the job back into SLURM's queue, or writes down that it is over; returns the code."""
    if not _goes_back(batch, number, code):
        lethal = code > 128 and code not in STOPPED
        _note(batch, number, code=128 - code if lethal else code)
    return code


def _goes_back(batch: Path, number: int, code: int) -> bool:
    if code not in (*_TOLD_BY_SLURM, _TERMINATED) or stop_file(batch, number).exists():
        return False
    about = _about_this_job()
    if int(about.get("Restarts", 0)) > int(os.environ.get("SLURM_RESTART_COUNT", "0")):
        return True  # SLURM has done so itself: preempted without grace
    preempted = about.get("PreemptTime", "None") not in ("None", "N/A", "Unknown")
    if code == _TERMINATED and not (preempted and about.get("JobState") == "RUNNING"):
        return False
    asked = read_submission(batch) or {"signal_delay_s": 0, "max_num_timeout": 0}
    timeouts = read_task(batch, number).get("timeouts", 0)
    if not preempted and _seconds_left(about) <= asked["signal_delay_s"] + _SLACK:
        timeouts += 1
        if timeouts > asked["max_num_timeout"]:
            say(f"not put back into the queue: its time was up {timeouts} times", flush=True)
            return False
    _note(batch, number, timeouts=timeouts)
    done = subprocess.run(["scontrol", "requeue", _own_id(os.environ)], check=False)
    return done.returncode == 0


def _note(batch: Path, number: int, **values: Any) -> None:
    path = task_file(batch, number)
    write_text(path, json.dumps(read_task(batch, number) | values) + "\n")


def _about_this_job() -> dict[str, str]:
    """What SLURM says of the job: JobState, PreemptTime, EndTime ...; in UTC: it writes no zones."""
    asked = ["scontrol", "show", "job", "--oneliner", _own_id(os.environ)]
    environment = {**os.environ, "TZ": "UTC"}
    environment.pop("SLURM_TIME_FORMAT", None)
    answer = subprocess.run(asked, env=environment, capture_output=True, text=True, check=False).stdout
    return dict(re.findall(r"(\w+)=(\S*)", answer))


def _own_id(given: Mapping[str, str]) -> str:
    """This task's; one task of each array has the array's own number as its SLURM_JOB_ID."""
    if "SLURM_ARRAY_TASK_ID" in given:
        return f"{given['SLURM_ARRAY_JOB_ID']}_{given['SLURM_ARRAY_TASK_ID']}"
    return given["SLURM_JOB_ID"]


def _seconds_left(about: Mapping[str, str]) -> float:
    try:
        return calendar.timegm(time.strptime(about.get("EndTime", ""), "%Y-%m-%dT%H:%M:%S")) - time.time()
    except ValueError:  # "Unknown": no limit
        return float("inf")


if __name__ == "__main__":
    sys.exit(after(Path(sys.argv[1]), int(os.environ.get("SLURM_ARRAY_TASK_ID", "0")), int(sys.argv[2])))
