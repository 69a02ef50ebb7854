"""metrics.jsonl of a run as curves against examples seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ganvas.compare.rows import examples_of, number, read_lines

Curve = tuple[list[int], list[float]]  # examples seen, rising; values, at most LARGEST either way

LARGEST = 1e300  # of a value: differences of two stay finite
_MOST_TAGS = 200
_LONGEST_TAG = 100
_NO_CURVES = ("examples", "batch")
# What an image shows unless told otherwise, by the beginning of the tag, in this order.
_SENSIBLE = ("loss/", "evaluation/", "validation/")


def read_curves(folder: Path, problems: list[str]) -> dict[str, Curve]:
    """Tag -> curve of a run; what is no row is skipped, and said in ``problems``.

    Values that were not finite, or can hardly be, are left out, and so are rows that go back.
    """
    curves: dict[str, Curve] = {}
    foreign = 0
    for row in read_lines(folder, "metrics.jsonl", problems):
        examples = examples_of(row)
        if examples is None:
            foreign += 1
            continue
        for tag, value in row.items():
            x = number(value)
            if tag in _NO_CURVES or x is None or not abs(x) <= LARGEST or len(tag) > _LONGEST_TAG:
                continue
            if tag not in curves and len(curves) >= _MOST_TAGS:
                continue
            seen, values = curves.setdefault(tag, ([], []))
            if not seen or examples > seen[-1]:
                seen.append(examples)
                values.append(x)
    if foreign:
        problems.append(f"{foreign} rows of metrics.jsonl count no examples; skipped")
    return curves


def apart(runs: Iterable[Mapping[str, Curve]]) -> tuple[list[str], list[str]]:
    """Tags with at least two points in some run, and those that are one point in all, which make no line."""
    drawn: dict[str, bool] = {}
    for curves in runs:
        for tag, (examples, _) in curves.items():
            drawn[tag] = drawn.get(tag, False) or len(examples) > 1
    return [tag for tag, some in drawn.items() if some], [tag for tag, some in drawn.items() if not some]


def equal_curves(runs: Sequence[Mapping[str, Curve]], tags: Sequence[str]) -> dict[str, str]:
    """Title -> tag, in order; tags whose curves are the same in all runs are one (``loss/a = loss/b``).

    So are codebook and commitment loss of a VQ-VAE: one distance, whose gradients go two ways.
    """
    same: dict[str, list[str]] = {}
    for tag in tags:
        held = [curves.get(tag) for curves in runs]
        first = next((one for one in same if [curves.get(one) for curves in runs] == held), tag)
        same.setdefault(first, []).append(tag)
    return {" = ".join(group): first for first, group in same.items()}


def sensible_tags(tags: Sequence[str], most: int) -> list[str]:
    """At most so many of some tags, what a reader wants first: losses, then metrics, then validation."""
    shares = [[tag for tag in tags if tag.startswith(beginning)] for beginning in _SENSIBLE]
    # Half of the places are for metrics, where there are as many: a run may have dozens of either.
    metrics = [*shares[1], *shares[2]]
    losses = shares[0][: max(most - len(metrics), most // 2)]
    return [*losses, *metrics][:most] or list(tags[:most])


def thinned(curve: Curve, most: int) -> Curve:
    """Every k-th point and the last one, so that there are about ``most``."""
    examples, values = curve
    step = max(1, -(-len(examples) // most))
    kept: Sequence[int] = range(len(examples) - 1, -1, -step)[::-1]
    return [examples[i] for i in kept], [values[i] for i in kept]
