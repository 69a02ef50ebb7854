"""Tried and held, by class; which class is next; the table in docs/faults.md."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness import Ended
from subject import Subject

BEGIN = "<!-- What follows is written by tests/fuzz/run.py, the rest by tests/faults/run.py. -->"
_TEXT = Path(__file__).with_name("fuzz.md.in")


@dataclass
class Row:
    """One class."""

    title: str
    tried: int = 0
    held: int = 0
    done: int = 0  # ended by exit code 0: the damage was harmless, mended or passed over
    cost: float = 0.0
    longest: float = 0.0


class Table:
    """The counts of one call."""

    def __init__(self, subjects: Mapping[str, Subject], seed: int) -> None:
        self.rows = {name: Row(subject.title) for name, subject in subjects.items()}
        self.seed, self.began = seed, time.monotonic()

    @property
    def tried(self) -> int:
        return sum(row.tried for row in self.rows.values())

    @property
    def held(self) -> int:
        return sum(row.held for row in self.rows.values())

    def next_class(self, begun: Mapping[str, int], *, seconds: float | None, tries: int | None) -> str | None:
        """The class that has had the least time so far; None where time or tries are used up."""
        if seconds is not None and time.monotonic() - self.began > seconds:
            return None
        if tries is not None and sum(begun.values()) >= tries:
            return None

        def used(name: str) -> float:
            row = self.rows[name]
            return row.cost + 0.05 * (begun[name] - row.tried)

        return min(self.rows, key=used)

    def add(self, ended: Ended) -> str | None:
        """Counts a try; the line that says what did not hold, and how to have it again."""
        row, verdict = self.rows[ended.subject], ended.verdict
        row.tried += 1
        row.cost += max(ended.cost, 0.005)
        row.longest = max(row.longest, verdict.seconds)
        if verdict.wrong is None:
            row.held += 1
            row.done += verdict.code == 0
            return None
        again = f"--seed {self.seed} --only {ended.subject} --number {ended.number}"
        return f"NOT HELD {ended.subject} {self.seed} {ended.number}: {verdict.wrong}   [run.py {again}]"

    def show(self) -> None:
        print(f"\n{'class':16} {'tried':>7} {'held':>7} {'code 0':>7} {'mean ms':>8} {'longest s':>9}")
        for name, row in self.rows.items():
            mean = 1000 * row.cost / max(row.tried, 1)
            print(f"{name:16} {row.tried:>7} {row.held:>7} {row.done:>7} {mean:>8.0f} {row.longest:>9.2f}")
        print(
            f"{'all':16} {self.tried:>7} {self.held:>7}\n"
            f"{time.monotonic() - self.began:.0f} s on {os.cpu_count()} cores, seed {self.seed}"
        )

    def markdown(self) -> str:
        """The section of docs/faults.md."""
        lines = ["| files | tried | held | of them code 0 | longest, s |", "|---|---:|---:|---:|---:|"]
        lines += [
            f"| {row.title} | {row.tried} | {row.held} | {row.done} | {row.longest:.1f} |"
            for row in self.rows.values()
        ]
        return _TEXT.read_text().format(
            table="\n".join(lines),
            tried=self.tried,
            held=self.held,
            seed=self.seed,
            machine=f"{os.cpu_count()} cores, {platform.machine()}",
            minutes=f"{(time.monotonic() - self.began) / 60:.0f}",
        )

    def write(self, path: Path) -> None:
        """Puts the section at the page's end, in the place of the older one; the rest stays."""
        text = path.read_text() if path.exists() else ""
        path.write_text(put_section(text, self.markdown()))
        print(f"table in {path}")


def put_section(text: str, section: str) -> str:
    """A page that ends in this section."""
    rest = text.partition(BEGIN)[0].rstrip()
    return f"{rest}\n\n{BEGIN}\n\n{section.strip()}\n".lstrip()
