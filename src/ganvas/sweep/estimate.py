"""How long a sweep may take, from the runs of the same model and data that lie under the same folder."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganvas.run.folder.run_folder import all_runs

_ENOUGH = 50  # runs that are looked at, the newest first


def paces(output_dir: Path) -> dict[tuple[str, str], list[float]]:
    """(model, data) -> images a second of each finished run under a folder."""
    found: dict[tuple[str, str], list[float]] = {}
    for run in all_runs(output_dir)[-_ENOUGH:]:
        status = run.read_status()
        seconds, examples = status.get("seconds"), status.get("examples_seen")
        if (
            status.get("state") != "finished"
            or not isinstance(seconds, int | float)
            or not seconds
            or not examples
        ):
            continue
        choices = run.choices(status)
        key = str(choices.get("model")), str(choices.get("data"))
        found.setdefault(key, []).append(examples / seconds)
    return found


def sweep_seconds(
    jobs: Sequence[tuple[Mapping[str, Any], Mapping[str, str]]],
    known: Mapping[tuple[str, str], Sequence[float]],
    *,
    at_a_time: int,
) -> tuple[float | None, int]:
    """The seconds that the jobs would take, and how many runs that is told from.

    Args:
        jobs: config and choices of each.
        known: from :func:`paces`.
        at_a_time: jobs side by side; on one machine's CPU they slow each other down, which is not counted.

    Returns:
        None where one of the jobs has no budget in examples, or no run of its kind is known.
    """
    total, used = 0.0, set()
    for config, choices in jobs:
        key = str(choices.get("model")), str(choices.get("data"))
        budget = (config.get("trainer") or {}).get("max_examples")
        if budget is None or key not in known:
            return None, 0
        total += budget / statistics.median(known[key])
        used.add(key)
    return total / at_a_time, sum(len(known[key]) for key in used)
