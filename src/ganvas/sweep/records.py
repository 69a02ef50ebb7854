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

from ganvas.files.plain import load_json
from ganvas.files.read import read_bytes
from ganvas.files.schema import is_count, is_text, is_whole, listing, maybe, misfit, section
from ganvas.files.write import write_text
from ganvas.functional.instant import timestamp
from ganvas.run.folder.lock import is_held
from ganvas.run.folder.redact import scrubbed
from ganvas.run.folder.run_folder import SUMMARY, RunFolder
from ganvas.run.folder.short_protocol import noted_protocols
from ganvas.sweep.interface import Job, Result
from ganvas.sweep.manifest import Manifest

STOPPED = (129, 130, 138, 140, 143)  # 128 + SIGHUP, SIGINT, SIGUSR1, SIGUSR2, SIGTERM: saved, can go on
RESUMABLE = ("interrupted", "timeout", "killed", "waiting")
_MARKS = {b"timeout": "timeout", b"pruned": "pruned"}
_ATTEMPT = section(
    {"began": is_text, "pid": is_count, "host": is_text}, {"ended": is_text, "code": maybe(is_whole)}
)
_OTHERS = {"summary": section({}, SUMMARY), "error": maybe(is_text)}
_SUMMARY = ("examples_seen", "seconds", "metrics", "protocols", "optimized")


class Record:
    """The record of one job."""

    def __init__(self, sweep: Path, index: int) -> None:
        self.sweep, self.index = sweep, index
        self.path = sweep / "jobs" / f"{index:03d}.json"
        self.log = self.path.with_suffix(".log")
        self.lock_name = f"{index:03d}.lock"

    def read(self) -> dict[str, Any]:
        """What is in it: ``attempts``, ``summary``, ``error``; empty where it is absent.

        Raises:
            ValueError: it is damaged; in words.
        """
        try:
            value: Any = load_json(self.path)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise ValueError(str(error.strerror or error)) from error
        wrong = misfit(value, {"attempts": listing(_ATTEMPT)}, _OTHERS)
        if wrong is not None:
            raise ValueError(wrong)
        return dict(value)

    def _attempts(self) -> list[dict[str, Any]]:
        """Those that are written down; of a damaged record none: it is begun anew."""
        try:
            return list(self.read().get("attempts", []))
        except ValueError:
            return []

    def is_running(self) -> bool:
        """Whether a living process makes an attempt at the job."""
        return is_held(self.sweep / "jobs", self.lock_name)

    def begin(self) -> None:
        """Notes that this process begins an attempt."""
        self._write({"attempts": [*self._attempts(), _begun()]})

    def end(self, code: int, run: RunFolder, error: str | None) -> None:
        """Notes how this process's attempt ended, with the run's metrics."""
        status = run.read_status()
        attempts = self._attempts() or [_begun()]
        attempts[-1] |= {"ended": timestamp(), "code": code}
        summary = {name: status[name] for name in _SUMMARY if name in status}
        self._write({"attempts": attempts, "summary": summary, "error": error if code else None})

    def mark(self, mark: str | None) -> None:
        """Notes why the pool stops the job (``timeout``, ``pruned``); None: no more."""
        path = self.path.with_suffix(".mark")
        if mark is None:
            path.unlink(missing_ok=True)
        else:
            write_text(path, mark)

    def marked(self) -> str | None:
        """Why the pool stopped it; None where it did not."""
        try:
            text = read_bytes(self.path.with_suffix(".mark"), 100)
        except OSError:
            return None
        return _MARKS.get(text.strip())

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
    try:
        value, damage = record.read(), None
    except ValueError as error:
        value, damage = {}, str(error)
    attempts = value.get("attempts", [])
    code = attempts[-1].get("code") if attempts else None
    running = code != 0 and (there is None or record.lock_name in there) and record.is_running()
    if damage is not None and not running:
        said = f"its {record.path.parent.name}/{record.path.name} is damaged ({damage}); put a copy back"
        return Result(state="broken", error=said)
    if not attempts and not running:
        return Result()
    state = "running" if running else _state(code)
    marks = there is None or record.path.with_suffix(".mark").name in there
    if state in ("interrupted", "killed") and marks:
        state = record.marked() or state
    return _summed(sweep.run_dir(job), value, state, code, len(attempts))


def _summed(folder: Path, value: dict[str, Any], state: str, code: int | None, attempts: int) -> Result:
    """The metrics come from the record where the job ended well, else from the run as it lies there."""
    summary = value.get("summary") or {}
    if state != "finished" or not summary:
        summary = RunFolder(folder).read_status()
        if summary.get("state") == "finished" and state in RESUMABLE:
            state = "finished"  # gone on with by hand, or killed in its last second
    best = summary.get("optimized")
    return Result(
        state=state,
        code=0 if state == "finished" else code,
        attempts=attempts,
        examples_seen=summary.get("examples_seen", 0),
        seconds=summary.get("seconds"),
        metrics=summary.get("metrics") or {},
        protocols=noted_protocols(summary),
        optimized=best if best and best["value"] is not None and best["mode"] else None,
        error=value.get("error") or summary.get("error"),
    )


def _begun() -> dict[str, Any]:
    return {"began": timestamp(), "pid": os.getpid(), "host": socket.gethostname()}


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
