"""A comparison as cells: for the terminal, CSV and JSON."""

from __future__ import annotations

import json
import math
from typing import Any

from ganvas.compare.comparison import Comparison, Variant, protocol_values
from ganvas.compare.rows import shown
from ganvas.compare.statistics import LEVEL, Summary
from ganvas.files.text import as_csv as write_cells


def mean_and_half(summary: Summary | None) -> str:
    """``12.31 ± 0.45``: the interval's half to two digits, the mean to the same place."""
    if summary is None:
        return ""
    if summary.not_finite and not summary.values:
        return "not finite"
    lost = f" ({summary.not_finite} not finite)" if summary.not_finite else ""
    if summary.half is None:
        return f"{summary.mean:.4g}{lost}"
    if summary.half == 0:
        return f"{summary.mean:.6g} ± 0{lost}"
    places = max(0, 1 - math.floor(math.log10(summary.half)))
    if places > 8 or abs(summary.mean) >= 1e7:
        return f"{summary.mean:.4g} ± {summary.half:.2g}{lost}"
    return f"{summary.mean:.{places}f} ± {summary.half:.{places}f}{lost}"


def examples(variant: Variant) -> str:
    low, high = variant.examples
    return str(low) if low == high else f"{low}-{high}"


def against_above(variant: Variant) -> str:
    """What the test against the variant ranked above says, in words."""
    if variant.rank is None or variant.rank == 1:
        return ""
    if variant.p is None:
        return "one seed: no test"
    p = "p < 0.001" if variant.p < 0.001 else f"p = {variant.p:.2g}"
    return f"{'differs' if variant.told_apart else 'not told apart'} ({p})"


def heading(result: Comparison, metric: str) -> str:
    better = {"min": " (lower is better)", "max": " (higher is better)", None: ""}
    return metric + (better[result.mode] if metric == result.by else "")


def title(result: Comparison) -> str:
    """What a table holds, in one line."""
    better = {"min": ", lower is better", "max": ", higher is better", None: ""}[result.mode]
    count = "1 variant" if len(result.variants) == 1 else f"{len(result.variants)} variants"
    many = sum(len(variant.members) for variant in result.variants)
    runs = "1 run" if many == 1 else f"{many} runs"
    kind = "ranked by" if result.ranked else "side by side, not ranked:"
    return f"{count}, {runs}, {kind} {result.by}{better}" if result.by else f"{runs} without metrics"


def plain(result: Comparison) -> dict[str, Any]:
    """All of it as plain values for JSON."""
    return {
        "by": result.by,
        "mode": result.mode,
        "ranked": result.ranked,
        "level": LEVEL,
        "protocol": {key: json.loads(value) for key, value in result.protocol},
        "differing": result.differing,
        "variants": [_plain(variant, result) for variant in result.variants],
        "notes": result.notes,
    }


def _plain(variant: Variant, result: Comparison) -> dict[str, Any]:
    held = dict(variant.protocol)
    metrics = {}
    for name, one in variant.summaries.items():
        numbers = {"mean": one.mean, "low": one.low, "high": one.high, "sd": one.sd}
        metrics[name] = {"n": len(one.values), "not_finite": one.not_finite} | {
            key: _finite(value) for key, value in numbers.items()
        }
    return {
        "rank": variant.rank,
        "variant": variant.label,
        "seeds": len(variant.members),
        "examples": list(variant.examples),
        "metrics": metrics,
        "p_against_above": variant.p,
        "told_apart_from_above": variant.told_apart,
        "overlaps_above": variant.overlaps,
        "protocol": {key: json.loads(held[key]) if key in held else None for key in result.differing},
        "runs": [
            {
                "run": member.run.name,
                "folder": str(member.run.folder.path),
                "seed": member.run.seed,
                "examples": member.examples,
                "metrics": {name: _finite(value) for name, value in member.metrics.items()},
            }
            for member in variant.members
        ],
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def as_json(*results: Comparison) -> str:
    """One comparison as :func:`plain` gives it; of several a list of them under ``tables``."""
    tables = [plain(result) for result in results]
    return json.dumps(tables[0] if len(tables) == 1 else {"tables": tables}, indent=2) + "\n"


def as_csv(*results: Comparison) -> str:
    """One line a variant: rank, label, seeds, examples, each metric with its interval, and the protocol.

    Of several comparisons all lines in one table, which begins with a column ``table`` (the metric that
    ranks); what one of them does not have is empty.
    """
    lines = [line for result in results for line in _csv_lines(result)]
    names = dict.fromkeys(key for line in lines for key in line)
    # Numbers of all tables come before protocols.
    ordered = sorted(names, key=lambda name: name.startswith("protocol."))
    head = ordered if len(results) > 1 else [name for name in ordered if name != "table"]
    return write_cells(head, [[line.get(name) for name in head] for line in lines])


def _csv_lines(result: Comparison) -> list[dict[str, Any]]:
    lines = []
    for variant in result.variants:
        low, high = variant.examples
        line: dict[str, Any] = {
            "table": result.by,
            "rank": variant.rank,
            "variant": variant.label,
            "seeds": len(variant.members),
            "examples_min": low,
            "examples_max": high,
        }
        for name in result.metrics:
            one = variant.summaries.get(name)
            values = [len(one.values), one.mean, one.low, one.high, one.sd] if one else [None] * 5
            parts = ("n", "mean", "low", "high", "sd")
            line |= {f"{name}_{part}": value for part, value in zip(parts, values, strict=True)}
        if result.by:
            line[f"{result.by}_p_against_above"] = variant.p
        own = zip(result.differing, protocol_values(variant, result.differing), strict=True)
        line |= {f"protocol.{key}": value for key, value in own}
        lines.append(line | {f"protocol.{key}": shown(value) for key, value in result.protocol})
    return lines


def protocol_lines(result: Comparison) -> list[tuple[str, str]]:
    """What all metrics rest on, for people."""
    return [(key, shown(value)) for key, value in result.protocol]
