"""A sweep without processes: what a study asks of it, and a pool that plays the jobs in this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ganvas.errors import OptionError
from ganvas.sweep.interface import Job, Result


class FakeJobs:
    """Jobs in a folder; they outlive the source that asked for them, as those of sweep.json do.

    Args:
        refuse: words that make no experiment.
    """

    def __init__(self, folder: Path, refuse: Callable[[Sequence[str]], bool] = lambda words: False) -> None:
        self.folder, self.refuse = folder, refuse
        self.made: dict[str, Job] = {}
        self.results: dict[int, Result] = {}
        self.overrides: dict[int, list[str]] = {}

    def add(self, number: int, words: Sequence[str], repeat: int) -> Job:
        if self.refuse(words):
            raise OptionError("x", " ".join(words), "makes no experiment")
        key = f"{sorted(words)}{repeat}"
        if key not in self.made:
            index = len(self.made)
            self.made[key] = Job(index, key, f"{index:03d}", list(words), number, repeat)
            self.overrides[index] = list(words)
        return self.made[key]

    def result(self, job: Job) -> Result:
        return self.results.get(job.index, Result())

    def metrics(self, job: Job) -> Path:
        return self.folder / job.name / "metrics.jsonl"

    def write(self, job: Job, rows: Sequence[dict[str, Any]]) -> None:
        """Appends rows to the job's metrics.jsonl."""
        path = self.metrics(job)
        path.parent.mkdir(exist_ok=True)
        with path.open("a") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)

    def end(self, job: Job, **values: Any) -> Result:
        """Gives the job a result: state, and ``value`` or ``values`` of what is optimized."""
        found = values.pop("values", None) or {values.pop("metric", "m"): values.pop("value", None)}
        first, *others = [{"metric": name, "value": value, "mode": "min"} for name, value in found.items()]
        best = first | {"also": others} if others else first
        result = Result(**{"state": "finished", "optimized": best, **values})
        self.results[job.index] = result
        return result


def numbers(words: Sequence[str]) -> dict[str, float]:
    """``x=0.5`` as {"x": 0.5}."""
    return {word.partition("=")[0]: float(word.partition("=")[2]) for word in words}
