"""What a terminal shows of a sweep: while it runs, and its table at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from ganvas.cli.arguments import Failures
from ganvas.cli.terminal import command_line, format_metrics, make_table, print_table
from ganvas.files.text import one_line, say
from ganvas.run.config.optimized import optimized
from ganvas.run.folder.run_folder import RunFolder
from ganvas.run.folder.short_protocol import noted_protocols
from ganvas.sweep.interface import Job, Result
from ganvas.sweep.manifest import Manifest
from ganvas.sweep.summary import HIDDEN, counts, ranking, rows, write_table

_FIXED = ("job", "overrides", "state", "exit_code", "examples_seen", "seconds", "folder", *HIDDEN)
_AGAIN = 15.0  # seconds between two looks at the metrics of a running job: its file may be large
_MOST_BROKEN = 5  # that are told one by one
_GOOD = ("finished", "pruned")


class Watch:
    """Called with every change of a job: a live table on a terminal, a line at each beginning and end else.

    The table shows jobs that run and those that ended last: state, examples, best value and time left.
    """

    def __init__(self, sweep: Manifest) -> None:
        self.sweep = sweep
        self.shown: dict[int, tuple[Job, Result]] = {}
        self.began: dict[int, tuple[float, int]] = {}  # when, and at which image
        self.best: dict[int, tuple[float, str]] = {}  # when it was looked up, and what is shown
        self.live: Any = None

    def __enter__(self) -> Watch:
        known = f"sweep of {len(self.sweep.jobs)} jobs" if self.sweep.jobs else "search"
        say(f"{known}: {self.sweep.folder}", flush=True)
        if sys.stdout.isatty():
            from rich.live import Live

            self.live = Live(auto_refresh=False, transient=True)
            self.live.__enter__()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.live is not None:
            self.live.__exit__(kind, error, trace)

    def __call__(self, job: Job, result: Result) -> None:
        before = self.shown.get(job.index)
        self.shown[job.index] = job, result
        if result.state == "running" and (before is None or before[1].state != "running"):
            self.began[job.index] = time.monotonic(), result.examples_seen
            if self.live is None:
                say(f"[job {job.index}] {' '.join(job.differs)}", flush=True)
        elif result.state != "running" and self.live is None:
            say(f"[job {job.index}] {said(result)}", flush=True)
        if self.live is not None:
            self.live.update(self._table(), refresh=True)

    def _table(self) -> Any:
        running = [one for one in self.shown.values() if one[1].state == "running"]
        over = [one for one in self.shown.values() if one[1].state != "running"]
        rows = []
        for job, result in [*over[-8:], *running]:
            cells = (str(job.index), " ".join(job.differs), result.state, f"{result.examples_seen:,}")
            rows.append((*cells, self._best(job, result), self._left(job, result)))
        caption = f"{len(over)} of {len(self.sweep.jobs)} ended"
        return make_table(("job", "overrides", "state", "examples", "best", "left"), rows, caption=caption)

    def _best(self, job: Job, result: Result) -> str:
        """The best value so far of what the sweep ranks by."""
        looked, shown = self.best.get(job.index, (-_AGAIN, ""))
        if result.state == "running" and time.monotonic() - looked < _AGAIN:
            return shown
        found = result.optimized
        if result.state == "running":
            found = optimized(self.sweep.run_dir(job), self.sweep.config_of(job))
        values = [found, *(found or {}).get("also", [])]
        shown = ", ".join(f"{one['value']:.4g}" for one in values if one and one["value"] is not None)
        self.best[job.index] = time.monotonic(), shown
        return shown

    def _left(self, job: Job, result: Result) -> str:
        """Minutes and seconds at the pace since the job began here; empty where it is not known."""
        budget = (self.sweep.config_of(job).get("trainer") or {}).get("max_examples")
        began, examples = self.began.get(job.index, (0.0, 0))
        if result.state != "running" or not budget or result.examples_seen <= examples:
            return ""
        left = (
            (budget - result.examples_seen) * (time.monotonic() - began) / (result.examples_seen - examples)
        )
        return f"{int(left) // 60}:{int(left) % 60:02d}"


def said(result: Result) -> str:
    """How a job ended, in a line."""
    if result.error and result.state not in _GOOD:
        return f"{result.state}: {result.error}"
    parts = [f"{result.examples_seen:,} examples"]
    parts += [f"{result.seconds:.1f} s"] if result.seconds is not None else []
    parts += [format_metrics(result.metrics, result.protocols)] if result.metrics else []
    return f"{result.state}: {', '.join(parts)}"


def show_end(
    sweep: Manifest,
    found: Sequence[tuple[Job, Result]],
    *,
    stopped_by: int | None = None,
    own: Sequence[str] = (),
) -> int:
    """Writes results.csv, prints the table and the best, and how to go on; returns the exit code.

    Args:
        stopped_by: the signal that ended it.
        own: the words that bring the user's own code to the next command.
    """
    table = rows(sweep, found)
    print_jobs(table)
    for line in [*broken_lines(found), *best_lines(sweep, found)]:
        say(line)
    failures, out = Failures(), sweep.folder / "results.csv"
    with failures.told(out, "SWEEP", remedy="make room; ganvas sweep status shows the same"):
        write_table(out, table)
        say(f"table: {out}")
    failed = [job.index for job, result in found if result.state in ("failed", "refused", "killed", "broken")]
    if failed:
        say(
            f"{len(failed)} of {len(found)} jobs failed: {', '.join(map(str, failed[:20]))}"
            f"{' ...' if len(failed) > 20 else ''}; their output: {sweep.folder / 'jobs'}"
        )
    left = [job.index for job, result in found if result.state in ("waiting", "interrupted", "timeout")]
    if left:
        again = command_line("sweep", "resume", sweep.folder, *own)
        say(f"{len(left)} of {len(found)} jobs are left; go on with: {again}")
    elif failed:
        say(f"begin them again with: {command_line('sweep', 'retry', sweep.folder, *own)}")
    if stopped_by is not None:
        return 128 + stopped_by
    return 1 if failed or left else failures.code


def best_lines(sweep: Manifest, found: Sequence[tuple[Job, Result]]) -> list[str]:
    """A line that names the best job or combination, where the sweep ranks its jobs."""
    ranked = ranking(found)
    if not ranked:
        return []
    best = ranked[0]
    jobs = best["jobs"]
    name = f"job {jobs[0]}" if len(jobs) == 1 else f"jobs {', '.join(map(str, jobs))}"
    value = f"{best['metric']} {best['value']:.6g}"
    if len(jobs) > 1:
        value += f" (mean of {len(jobs)} seeds, from {min(best['values']):.6g} to {max(best['values']):.6g})"
    folder = sweep.run_dir(sweep.jobs[jobs[0]])
    protocols = noted_protocols(RunFolder(folder).read_status())
    if protocol := protocols.get(best["metric"].removeprefix("evaluation/")):
        value += f" ({one_line(protocol)})"
    return [f"best: {name} ({' '.join(best['differs']) or 'no override'}), {value}, {folder}"]


def print_jobs(table: Sequence[Mapping[str, Any]], longest: int = 200) -> None:
    """The table for people: the metrics of a job in one column, so that eighty characters suffice."""
    shown = []
    for row in table[:longest]:
        metrics = {key: value for key, value in row.items() if key not in _FIXED}
        fixed = (str(row[key]) for key in ("job", "overrides", "state", "examples_seen", "seconds"))
        shown.append((*fixed, format_metrics(metrics, row.get("protocols"))))
    print_table(("job", "overrides", "state", "examples", "seconds", "metrics"), shown)
    if len(table) > longest:
        say(f"and {len(table) - longest} jobs more; results.csv has them all")


def broken_lines(found: Sequence[tuple[Job, Result]]) -> list[str]:
    """What is wrong with records that nobody can read; their jobs count for nothing."""
    lines = [f"job {job.index}: {result.error}" for job, result in found if result.state == "broken"]
    more = len(lines) - _MOST_BROKEN
    return [*lines[:_MOST_BROKEN], *([f"and {more} jobs more are broken"] if more > 0 else [])]


def say_counts(found: Sequence[tuple[Job, Result]]) -> str:
    """``12 jobs: 10 finished, 2 waiting``."""
    tally = ", ".join(f"{number} {state}" for state, number in sorted(counts(found).items()))
    return f"{len(found)} jobs: {tally}"
