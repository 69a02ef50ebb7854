"""jobs/<number>.json: the attempts at one job, as the process that made them wrote them down.

The process itself writes, not whoever started it: the record is true however the sweep was run, and also
where the sweep died. What only the pool knows (why it stopped a job) lies beside it as a mark.
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

from ganvas.files.plain import load_object
from ganvas.files.write import write_text
from ganvas.functional.instant import timestamp
from ganvas.run.folder.lock import is_held
from ganvas.run.folder.redact import scrubbed
from ganvas.run.folder.run_folder import RunFolder
from ganvas.run.folder.short_protocol import noted_protocols
from ganvas.sweep.interface import Job, Result
from ganvas.sweep.manifest import Manifest

STOPPED = (129, 130, 138, 140, 143)  # 128 + SIGHUP, SIGINT, SIGUSR1, SIGUSR2, SIGTERM: saved, can go on
RESUMABLE = ("interrupted", "timeout", "killed", "waiting")
_SUMMARY = ("examples_seen", "seconds", "metrics", "protocols", "optimized")


class Record:
    """The record of one job."""

    def __init__(self, sweep: Path, index: int) -> None:
        self.sweep, self.index = sweep, index
        self.path = sweep / "jobs" / f"{index:03d}.json"
        self.log = self.path.with_suffix(".log")
        self.lock_name = f"{index:03d}.lock"

    def read(self) -> dict[str, Any]:
        value = load_object(self.path)
        return value if isinstance(value.get("attempts", []), list) else {}

    def is_running(self) -> bool:
        """Whether a living process makes an attempt at the job."""
        return is_held(self.sweep / "jobs", self.lock_name)

    def begin(self) -> None:
        """Notes that this process begins an attempt."""
        attempts = [
            *self.read().get("attempts", []),
            {"began": timestamp(), "pid": os.getpid(), "host": socket.gethostname()},
        ]
        self._write({"attempts": attempts})

    def end(self, code: int, run: RunFolder, error: str | None) -> None:
        """Notes how this process's attempt ended, with the run's metrics."""
        status = run.read_status()
        value = self.read()
        value["attempts"][-1] |= {"ended": timestamp(), "code": code}
        value["summary"] = {name: status[name] for name in _SUMMARY if name in status}
        value["error"] = error if code else None
        self._write(value)

    def mark(self, mark: str | None) -> None:
        """Notes why the pool stops the job (``timeout``, ``pruned``); None: no more."""
        path = self.path.with_suffix(".mark")
        if mark is None:
            path.unlink(missing_ok=True)
        else:
            write_text(path, mark)

    def marked(self) -> str | None:
        try:
            text = self.path.with_suffix(".mark").read_text()
        except (OSError, ValueError):
            return None
        return text if text in ("timeout", "pruned") else None

    def _write(self, value: dict[str, Any]) -> None:
        write_text(self.path, json.dumps(scrubbed(value)) + "\n")


def result_of(sweep: Manifest, job: Job, *, there: set[str] | None = None) -> Result:
    """How a job stands.

    Args:
        there: names in the ``jobs`` folder, where the caller has them already (:func:`names_there`).
    """
    record = Record(sweep.folder, job.index)
    if there is not None and not {record.path.name, record.lock_name} & there:
        return Result()
    value = record.read()
    attempts = [one for one in value.get("attempts", []) if isinstance(one, dict)]
    last = attempts[-1] if attempts else {}
    code = last.get("code") if isinstance(last.get("code"), int) else None
    running = code != 0 and (there is None or record.lock_name in there) and record.is_running()
    if not attempts and not running:
        return Result()
    state = "running" if running else _state(code)
    marks = there is None or record.path.with_suffix(".mark").name in there
    if state in ("interrupted", "killed") and marks:
        state = record.marked() or state
    return _summed(sweep.run_dir(job), value, state, code, len(attempts))


def _summed(folder: Path, value: dict[str, Any], state: str, code: int | None, attempts: int) -> Result:
    """The metrics come from the record where the job ended well, else from the run as it lies there."""
    summary = value.get("summary")
    if state != "finished" or not isinstance(summary, dict):
        summary = RunFolder(folder).read_status()
        if summary.get("state") == "finished" and state in RESUMABLE:
            state = "finished"  # gone on with by hand, or killed in its last second
    metrics, best = summary.get("metrics"), summary.get("optimized")
    examples, seconds = summary.get("examples_seen"), summary.get("seconds")
    return Result(
        state=state,
        code=0 if state == "finished" else code,
        attempts=attempts,
        examples_seen=examples if isinstance(examples, int) else 0,
        seconds=seconds if isinstance(seconds, int | float) else None,
        metrics=metrics if isinstance(metrics, dict) else {},
        protocols=noted_protocols(summary),
        optimized=best if _is_best(best) else None,
        error=str(value["error"]) if value.get("error") else summary.get("error"),
    )


def _is_best(best: Any) -> bool:
    value = best.get("value") if isinstance(best, dict) else None
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and best.get("mode") in ("min", "max")
    )


def names_there(sweep: Path) -> set[str]:
    """The names of all records, locks and marks: one look at the folder for thousands of jobs."""
    try:
        return set(os.listdir(sweep / "jobs"))
    except OSError:
        return set()


def _state(code: int | None) -> str:
    if code is None:
        return "killed"
    return {0: "finished", 2: "refused"}.get(code, "interrupted" if code in STOPPED else "failed")
