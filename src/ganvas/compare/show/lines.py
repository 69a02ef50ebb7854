"""Charts of what runs recorded: against examples or training time, with intervals over seeds."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ganvas.compare.curves import Curve, equal_curves, thinned
from ganvas.compare.show.chart import Chart, Line
from ganvas.compare.statistics import summarize

SPEED = "speed/examples_per_second"
# From so many seconds on, in seconds of this unit.
_UNITS = ((2 * 3600.0, 3600.0, "hours"), (120.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))


class Recorded(NamedTuple):
    """A run: its name, which variant it is of, and its curves by their tags."""

    name: str
    variant: int
    curves: Mapping[str, Curve]


class Mean(NamedTuple):
    """Several seeds at the examples that all of them have.

    Attributes:
        examples: rising.
        mean: at each.
        low: of the 95 % interval by Student's t; ``high`` likewise.
    """

    examples: list[int]
    mean: list[float]
    low: list[float]
    high: list[float]


def make_charts(
    runs: Sequence[Recorded],
    tags: Sequence[str],
    labels: Sequence[str],
    *,
    most_points: int,
    by_time: bool = False,
    seeds: bool = False,
    notes: list[str] | None = None,
) -> list[Chart]:
    """A chart a tag; tags whose curves are the same in all runs share one.

    Seeds of one variant are one line, their mean at the examples that all of them have, in a band, the 95 %
    interval over seeds; those with fewer than two such points are lines of their own.

    Args:
        runs: those without any of the tags are passed over.
        tags: each of some run.
        labels: of the variants.
        most_points: of a line.
        by_time: against training time, as :func:`clock` tells it; runs without it are left out. The mean of
            several seeds stands at the mean of their times.
        seeds: every run as a faint line of its own, too.
        notes: takes what a reader should know.

    Returns:
        None empty; fewer than there are tags where nothing tells the time.
    """
    told = [] if notes is None else notes
    timed = [_Timed(run, clock(run.curves) if by_time else None) for run in runs]
    if by_time:
        without = [one.run.name for one in timed if one.clock is None]
        told += [f"{name}: {SPEED} of metrics.jsonl tells no time; left out" for name in without]
        timed = [one for one in timed if one.clock is not None]
        runs = [one.run for one in timed]
    there = [tag for tag in tags if any(tag in run.curves for run in runs)]
    charts = []
    for title, tag in equal_curves([run.curves for run in runs], there).items():
        lines: list[Line] = []
        for variant, label in enumerate(labels):
            own = [one for one in timed if one.run.variant == variant and tag in one.run.curves]
            lines += _of_variant(own, tag, label, most_points, seeds, told)
        charts.append(Chart(title, lines))
    return _in_one_unit(charts) if by_time else charts


Clock = Callable[[float], float]


class _Timed(NamedTuple):
    """A run, and what tells its seconds of training where they are asked for."""

    run: Recorded
    clock: Clock | None


def clock(curves: Mapping[str, Curve]) -> Clock | None:
    """Seconds of training after so many examples, by the rows of ``speed/examples_per_second``.

    A row's speed is that of the examples since the row before, by the clock on the wall: previews and
    evaluations count, and pauses between a stop and a resume do not. Between rows time is linear, and beyond
    the last one it goes on as before. None where there is no such row.
    """
    examples, speeds = curves.get(SPEED, ([], []))
    knots, seconds = [0.0], [0.0]
    for now, speed in zip(examples, speeds, strict=True):
        if speed > 0 and now > knots[-1]:
            seconds.append(seconds[-1] + (now - knots[-1]) / speed)
            knots.append(float(now))
    if len(knots) < 2:
        return None

    def tell(at: float) -> float:
        right = min(max(1, bisect_left(knots, at)), len(knots) - 1)
        share = (at - knots[right - 1]) / (knots[right] - knots[right - 1])
        return seconds[right - 1] + share * (seconds[right] - seconds[right - 1])

    return tell


def over_seeds(curves: Sequence[Curve], most: int) -> Mean | None:
    """The mean of several curves at examples that all have, thinned to about ``most`` points.

    None where these are fewer than two points.
    """
    held = [dict(zip(*curve, strict=True)) for curve in curves]
    common = sorted(set.intersection(*(set(one) for one in held)))
    if len(common) < 2:
        return None
    common, _ = thinned((common, [0.0] * len(common)), most)
    found = [summarize([one[x] for one in held]) for x in common]
    halves = [one.half or 0.0 for one in found]
    means = [one.mean for one in found]
    low = [mean - half for mean, half in zip(means, halves, strict=True)]
    return Mean(common, means, low, [mean + half for mean, half in zip(means, halves, strict=True)])


def _of_variant(
    timed: Sequence[_Timed],
    tag: str,
    label: str,
    most: int,
    seeds: bool,
    told: list[str],
) -> list[Line]:
    """The lines of one variant: its mean, its single seeds, or both."""

    def single(one: _Timed, faint: bool) -> Line:
        xs, ys = thinned(one.run.curves[tag], most)
        places = xs if one.clock is None else [one.clock(x) for x in xs]
        return Line(one.run.name, one.run.variant, (places, ys), faint=faint)

    curves = [one.run.curves[tag] for one in timed]
    mean = over_seeds(curves, most) if len(curves) > 1 else None
    if mean is None:
        if len(curves) > 1:
            told.append(f"{label}: its seeds have {tag} at other examples each; drawn one by one")
        return [single(one, False) for one in timed]
    last = max(examples[-1] for examples, _ in curves)
    if mean.examples[-1] < last:
        told.append(f"{label}: the mean of {tag} ends at {mean.examples[-1]} examples of {last}, with a seed")
    own = [one.clock for one in timed if one.clock is not None]
    xs = [sum(tell(x) for tell in own) / len(own) for x in mean.examples] if own else mean.examples
    name = f"{label}, mean of {len(curves)} seeds"
    whole = Line(name, timed[0].run.variant, (xs, mean.mean), (mean.low, mean.high))
    return [*(single(one, True) for one in timed if seeds), whole]


def _in_one_unit(charts: Sequence[Chart]) -> list[Chart]:
    """Seconds as the unit that fits the longest line of all."""
    longest = max((line.curve[0][-1] for chart in charts for line in chart.lines), default=0.0)
    divisor, unit = next((divisor, unit) for least, divisor, unit in _UNITS if longest >= least)
    return [
        Chart(
            chart.title,
            [one._replace(curve=([x / divisor for x in one.curve[0]], one.curve[1])) for one in chart.lines],
            f"training time, {unit}",
        )
        for chart in charts
    ]
