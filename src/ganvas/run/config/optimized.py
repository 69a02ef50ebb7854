"""What a sweep ranks a run by: the best value of a scalar over the run, not the last; or of several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganvas.callback.writing.rows import read_rows
from ganvas.compare.directions import BETTER
from ganvas.errors import require
from ganvas.files.schema import is_count, is_finite, misfit

_METRIC = "evaluation/"


def objectives(config: dict[str, Any]) -> list[tuple[str, str | None]]:
    """(metric, mode) of everything that is optimized; the mode None is the metric's own.

    Raises:
        OptionError: ``optimized_metric`` and ``optimized_mode`` do not fit each other.
    """
    metric, mode = config.get("optimized_metric"), config.get("optimized_mode")
    metrics = metric if isinstance(metric, list) else [] if metric is None else [metric]
    modes = mode if isinstance(mode, list) else [mode] * max(1, len(metrics))
    example = "must be a scalar of metrics.jsonl, e.g. evaluation/fid"
    named = all(isinstance(one, str) and one for one in metrics)
    require(named and metric != [], "optimized_metric", metric, f"{example}, or a list of them")
    twice = len(set(metrics)) < len(metrics)
    require(not twice, "optimized_metric", metric, "names a scalar twice; once is enough")
    for one in modes:
        reason = "must be min, max, or null (the metric's own)"
        require(one in (None, "min", "max"), "optimized_mode", one, reason)
    reason = f"has {len(modes)} entries for {len(metrics)} of optimized_metric; write one for each, or null"
    fits = len(modes) == max(1, len(metrics)) or (not metrics and not isinstance(mode, list))
    require(fits, "optimized_mode", mode, reason)
    pairs = list(zip(metrics, modes))
    for name, way in pairs:
        known = way is not None or name.startswith(_METRIC)
        reason = f"{name} is no metric that knows its direction; optimized_mode=min or optimized_mode=max"
        require(known, "optimized_mode", "null", reason)
    return pairs


def check_optimized(config: dict[str, Any]) -> None:
    """Raises OptionError unless ``optimized_metric`` and ``optimized_mode`` of a config fit each other."""
    objectives(config)


def optimized(folder: Path, config: dict[str, Any]) -> dict[str, Any] | None:
    """The best value so far of the run's ``optimized_metric``, and where it was.

    Returns:
        ``{"metric", "mode", "value", "examples"}``, the earliest of equal values; ``value`` and ``examples``
        are None, and ``reported`` lists the names, where the scalar was never reported. Of several metrics it
        is the first one's, and ``also`` lists the others'. None where none is asked.
    """
    pairs = objectives(config)
    if not pairs:
        return None
    rows = read_rows(folder / "metrics.jsonl")
    first, *others = [_best(folder, rows, metric, mode) for metric, mode in pairs]
    return first | {"also": others} if others else first


def _best(folder: Path, rows: list[dict[str, Any]], metric: str, mode: str | None) -> dict[str, Any]:
    mode = mode or _own_mode(folder, metric)
    row_of = {"examples": is_count, metric: is_finite}
    values = [(row[metric], row["examples"]) for row in rows if misfit(row, row_of) is None]
    answer = {"metric": metric, "mode": mode, "value": None, "examples": None}
    if not values or mode is None:
        names = {name for row in rows for name in row} - {"examples", "batch"}
        return answer | {"reported": sorted(names)}
    sign = 1 if mode == "min" else -1
    value, examples = min(values, key=lambda pair: sign * pair[0])
    return answer | {"value": value, "examples": examples}


def _own_mode(folder: Path, metric: str) -> str | None:
    """The direction that the run's evaluations give this metric, or that it always has."""
    for row in read_rows(folder / "evaluations.jsonl"):
        better = row.get("better")
        if isinstance(better, dict) and better.get(metric.removeprefix(_METRIC)) in ("min", "max"):
            return str(better[metric.removeprefix(_METRIC)])
    return BETTER.get(metric.removeprefix(_METRIC)) if metric.startswith(_METRIC) else None
