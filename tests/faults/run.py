"""The fault matrix: ``make test-faults``, or ``python tests/faults/run.py --help``.

Every fault is tried on ganvas and, where it applies, on a plain LightningModule of the same size. A try
survives where the run ends as if nothing had happened: equal to the bit, each step logged once.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch: the bits are those of one thread
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import argparse
import importlib
import platform
import resource
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

sys.path.append(str(Path(__file__).resolve().parents[1] / "helpers"))

import system_calls
from forge import Result, import_all, run_tries
from recipes import Plan

SECTIONS = (
    "resume_every_step",
    "random_sigkill",
    "kill_points",
    "killed_commands",
    "data_caches",
    "storage",
    "refusing_disks",
    "signals",
    "ranks",
    "non_finite",
    "hostile_files",
    "mutated_checkpoints",
    "drift",
)


@dataclass
class Row:
    """One line of the table."""

    module: ModuleType
    results: list[Result]
    seconds: float = 0.0
    processor: float = 0.0  # seconds of all processes
    plain: list[Result] = field(default_factory=list)

    @property
    def short(self) -> bool:
        return tried(self.results) < self.module.MINIMUM


def tried(results: list[Result]) -> int:
    return sum(result.count for result in results)


def survived(results: list[Result]) -> int:
    return sum(result.count for result in results if result.difference is None)


def heed_signals() -> None:
    """A shell's background job ignores SIGINT, one under nohup SIGHUP, and so does all that it starts."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, handler)


def main() -> int:
    heed_signals()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--nightly", action="store_true", help="many more tries")
    parser.add_argument("--only", nargs="*", choices=SECTIONS, default=SECTIONS, help="these sections alone")
    parser.add_argument("--try", dest="pattern", help="the tries whose name has this in it, kept on disk")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn")
    parser.add_argument("--markdown", type=Path, help="writes the table there")
    parser.add_argument("--work", type=Path, help="runs lie in here; a folder in memory where there is room")
    parser.add_argument("--no-plain", action="store_true", help="ganvas alone")
    parser.add_argument("--plain-log", type=Path, help="writes what differed in plain Lightning there")
    arguments = parser.parse_args()
    if {"killed_commands", "refusing_disks"} & set(arguments.only):
        system_calls.preload()
    import_all()
    work = Path(tempfile.mkdtemp(prefix="ganvas-faults-", dir=arguments.work or roomy_memory()))
    plan = Plan(work, arguments.nightly, arguments.seed)
    began = time.monotonic()
    table = []
    print(_LINE.format(*_HEAD), flush=True)
    for name in arguments.only:
        table.append(run_section(name, plan, arguments.pattern, plain=not arguments.no_plain))
        print_row(table[-1])
    print(
        f"\n{time.monotonic() - began:.0f} s, {processor_seconds():.0f} s of processor time, "
        f"on {os.cpu_count()} cores; seed {plan.seed}"
    )
    failed = print_failures(table, plan)
    short = [row for row in table if row.short and not arguments.pattern]
    for row in short:
        print(f"{row.module.TITLE}: {tried(row.results)} tries are fewer than {row.module.MINIMUM}")
    if arguments.plain_log:
        lines = [f"{row.module.__name__} {r.name}: {r.difference}" for row in table for r in row.plain]
        arguments.plain_log.write_text("\n".join(lines) + "\n")
    if arguments.markdown:
        write_markdown(arguments.markdown, table, plan)
    if failed or arguments.pattern:
        print(f"kept: {work}")
    else:
        shutil.rmtree(work, ignore_errors=True)
    return 1 if failed or short else 0


def roomy_memory() -> str | None:
    """Where runs lie: in memory where there is room, since an fsync there costs nothing; else $TMPDIR."""
    place = Path("/dev/shm")
    roomy = place.is_dir() and os.access(place, os.W_OK) and shutil.disk_usage(place).free > 2**30
    return str(place) if roomy else None


def run_section(name: str, plan: Plan, pattern: str | None, *, plain: bool) -> Row:
    module = importlib.import_module(name)
    began, used = time.monotonic(), processor_seconds()
    if hasattr(module, "prepare"):
        module.prepare()
    made = run_tries(plan.prepare(module.NEEDS), plan.work / f"prepare-{name}", results=[])
    if broken := [result for result in made if result.difference]:
        sys.exit(f"an uninterrupted run failed: {broken[0].name}: {broken[0].difference}")
    chosen = (one for one in module.tries(plan) if pattern is None or pattern in one.name)
    plan.results = []
    run_tries(chosen, plan.work / name, keep=pattern is not None, results=plan.results)
    row = Row(module, plan.results)
    if plain and pattern is None:
        row.plain = run_plain(name, plan)
    row.seconds, row.processor = time.monotonic() - began, processor_seconds() - used
    return row


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run_plain(name: str, plan: Plan) -> list[Result]:
    plain = importlib.import_module("plain_sections")
    if name not in plain.SECTIONS:
        return []
    run_tries(plain.prepare(plan), plan.work / f"plain-prepare-{name}", results=[])
    return run_tries(plain.tries(name, plan), plan.work / f"plain-{name}", results=[])


def cells(row: Row) -> list[str]:
    ours = [str(tried(row.results)), str(survived(row.results))]
    theirs = [str(tried(row.plain)), str(survived(row.plain))] if row.plain else ["-", "-"]
    return [row.module.TITLE, *ours, *theirs, f"{row.seconds:.0f}", f"{row.processor:.0f}"]


_FUZZ = "<!-- What follows is written by tests/fuzz/run.py"  # and stays as it is
_HEAD = ["fault", "tried", "survived", "tried (plain)", "survived (plain)", "seconds", "processor s"]
_LINE = "{:38} {:>6} {:>9} {:>14} {:>17} {:>8} {:>12}"


def print_row(row: Row) -> None:
    print(_LINE.format(*cells(row)), flush=True)


def print_failures(table: list[Row], plan: Plan) -> int:
    failures = [(row, result) for row in table for result in row.results if result.difference]
    for number, (row, result) in enumerate(failures):
        section = row.module.__name__
        if number >= 3 and not plan.nightly:
            print(f"FAILED {section} {result.name}: {' | '.join(result.difference.splitlines())[:300]}")
            continue
        print(f"\nFAILED {section} {result.name}\n  {result.difference}\n  folder: {result.folder}")
        print(f"  again: python tests/faults/run.py --seed {plan.seed} --only {section} --try {result.name}")
    return len(failures)


def write_markdown(path: Path, table: list[Row], plan: Plan) -> None:
    """docs/faults.md: the table, how it is made, what a cell means."""
    lines = ["| " + " | ".join(_HEAD[:-2]) + " |", "|---|" + "---:|" * 4]
    lines += ["| " + " | ".join(cells(row)[:-2]) + " |" for row in table]
    total, kept = (sum(count(row.results) for row in table) for count in (tried, survived))
    plain = [result for row in table for result in row.plain]
    ended = [one for one in plain if not (one.difference or "").startswith("end:")]
    counts = {
        "plain": tried(plain),
        "ended": tried(ended),
        "parameters": tried([one for one in ended if "parameters:" not in (one.difference or "")]),
        "logs": tried([one for one in ended if "log:" not in (one.difference or "")]),
    }
    notes = [
        f"- **{row.module.TITLE}**: {(row.module.__doc__ or '').strip().splitlines()[0]}" for row in table
    ]
    text = (Path(__file__).parent / "faults.md.in").read_text()
    cores = f"{os.cpu_count()} cores, {platform.machine()}, CPU alone, one thread a process"
    command = "make test-faults-nightly" if plan.nightly else "make test-faults"
    path.parent.mkdir(parents=True, exist_ok=True)
    _, mark, fuzzed = (path.read_text() if path.exists() else "").partition(_FUZZ)
    path.write_text(
        text.format(
            table="\n".join(lines),
            total=total,
            survived=kept,
            notes="\n".join(notes),
            **counts,
            machine=cores,
            command=command,
            seed=plan.seed,
        )
        + (f"\n{mark}{fuzzed}" if mark else "")
    )
    print(f"table in {path}")


if __name__ == "__main__":
    sys.exit(main())
