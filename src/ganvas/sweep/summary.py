"""A sweep's results: a row for each job, one table on disk, the best of all."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganvas.files.text import as_csv
from ganvas.files.write import write_text
from ganvas.sweep.interface import Job, Result
from ganvas.sweep.manifest import Manifest
from ganvas.sweep.records import names_there, result_of

HIDDEN = ("variant", "mode", "protocols")  # columns for the ranking and for terminals alone


def results(sweep: Manifest) -> list[tuple[Job, Result]]:
    """How every job stands."""
    there = names_there(sweep.folder)
    return [(job, result_of(sweep, job, there=there)) for job in sweep.jobs]


def rows(sweep: Manifest, found: Sequence[tuple[Job, Result]]) -> list[dict[str, Any]]:
    """One line for each job: what differed, how it ended, its metrics."""
    return [
        {
            "job": job.index,
            "overrides": " ".join(job.differs),
            "state": result.state,
            "exit_code": "" if result.code is None else result.code,
            "examples_seen": result.examples_seen,
            "seconds": "" if result.seconds is None else result.seconds,
            **result.metrics,
            **_optimized(result),
            "variant": job.variant,
            "protocols": result.protocols,
            "folder": str(sweep.run_dir(job)),
        }
        for job, result in found
    ]


def _optimized(result: Result) -> dict[str, Any]:
    """The best value over the job of what the sweep ranks by, under ``best <name>``."""
    if result.optimized is None:
        return {}
    return {f"best {result.optimized['metric']}": result.optimized["value"], "mode": result.optimized["mode"]}


def write_table(path: Path, table: Sequence[Mapping[str, Any]], *, hidden: Sequence[str] = HIDDEN) -> None:
    """A table as a file, whole or not at all; a column for whatever any row has, ``folder`` the last."""
    names = dict.fromkeys(name for row in table for name in row if name not in hidden)
    ordered = sorted(names, key=lambda name: name == "folder")
    write_text(path, as_csv(ordered, [[row.get(name) for name in ordered] for row in table]))


def ranking(found: Sequence[tuple[Job, Result]]) -> list[dict[str, Any]]:
    """The variants that have a value to be ranked by, best first.

    Of several metrics the one that most variants are ranked by; the others are left out.

    Returns:
        for each ``{"variant", "jobs", "differs", "metric", "mode", "value", "values"}``; ``value`` is the
        mean of its jobs' best values. A variant with a job that has no value is left out.
    """
    variants: dict[int, list[tuple[Job, Result]]] = {}
    for job, result in found:
        variants.setdefault(job.variant, []).append((job, result))
    answer = []
    for variant, members in variants.items():
        best = [result.optimized for _, result in members if result.optimized is not None]
        if len(best) < len(members) or any(result.state in ("failed", "pruned") for _, result in members):
            continue
        ways = {(one["metric"], one["mode"]) for one in best}
        if len(ways) > 1:  # nobody can tell which of these is better
            continue
        values = [float(one["value"]) for one in best]
        differs = members[0][0].differs
        if len(members) > 1:
            differs = [word for word in differs if not word.startswith("seed=")]
        answer.append(
            {
                "variant": variant,
                "jobs": [job.index for job, _ in members],
                "differs": differs,
                "metric": best[0]["metric"],
                "mode": best[0]["mode"],
                "value": statistics.fmean(values),
                "values": values,
            }
        )
    usual = Counter((one["metric"], one["mode"]) for one in answer).most_common(1)
    answer = [one for one in answer if (one["metric"], one["mode"]) == usual[0][0]]
    sign = 1 if answer and answer[0]["mode"] == "min" else -1
    return sorted(answer, key=lambda one: sign * one["value"])


def counts(found: Sequence[tuple[Job, Result]]) -> dict[str, int]:
    """State -> how many jobs."""
    return dict(Counter(result.state for _, result in found))
