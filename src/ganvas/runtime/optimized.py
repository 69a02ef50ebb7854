"""The one number that a sweep ranks a run by: the best value of a scalar over the run, not the last."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from ganvas.callback.rows import read_rows
from ganvas.errors import require

_FIGURE = "evaluation/"


def check_optimized(config: dict[str, Any]) -> None:
    """Raises OptionError unless ``optimized_metric`` and ``optimized_mode`` of a config fit each other."""
    metric, mode = config.get("optimized_metric"), config.get("optimized_mode")
    named = metric is None or (isinstance(metric, str) and metric != "")
    require(named, "optimized_metric", metric, "must be a scalar of metrics.jsonl, e.g. evaluation/fid")
    require(
        mode in (None, "min", "max"), "optimized_mode", mode, "must be min, max, or null (the figure's own)"
    )
    reason = f"{metric} is no figure that knows its direction; optimized_mode=min or optimized_mode=max"
    require(
        metric is None or mode is not None or metric.startswith(_FIGURE), "optimized_mode", "null", reason
    )


def optimized(folder: Path, config: dict[str, Any]) -> dict[str, Any] | None:
    """The best value so far of the run's ``optimized_metric``, and where it was.

    Returns:
        ``{"metric", "mode", "value", "images"}``, the earliest of equal values; ``value`` and ``images`` are
        None, and ``reported`` lists the names, where the scalar was never reported. None where none is asked.
    """
    metric, mode = config.get("optimized_metric"), config.get("optimized_mode")
    if metric is None:
        return None
    mode = mode or _own_mode(folder, metric)
    rows = read_rows(folder / "metrics.jsonl")
    values = [(row[metric], row.get("images")) for row in rows if _is_number(row.get(metric))]
    answer = {"metric": metric, "mode": mode, "value": None, "images": None}
    if not values or mode is None:
        names = {name for row in rows for name in row} - {"images", "batch"}
        return answer | {"reported": sorted(names)}
    sign = 1 if mode == "min" else -1
    value, images = min(values, key=lambda pair: sign * pair[0])
    return answer | {"value": value, "images": images}


def _own_mode(folder: Path, metric: str) -> str | None:
    """The direction that the run's evaluations give this figure."""
    for row in read_rows(folder / "evaluations.jsonl"):
        better = row.get("better")
        if isinstance(better, dict) and better.get(metric.removeprefix(_FIGURE)) in ("min", "max"):
            return str(better[metric.removeprefix(_FIGURE)])
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
