"""Means over seeds, how sure they are, and whether two of them differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import stdtr, stdtrit

LEVEL = 0.95  # of intervals; a test is at 1 - LEVEL


@dataclass(frozen=True)
class Summary:
    """A metric of one variant over its seeds.

    Attributes:
        values: the finite ones.
        not_finite: how many were not.
        mean: of the values; NaN where there is none.
        sd: their standard deviation with n - 1 below; None under two values.
        half: half of the 95 % interval's width, by Student's t with n - 1 degrees; None under two values.
    """

    values: tuple[float, ...]
    not_finite: int
    mean: float
    sd: float | None
    half: float | None

    @property
    def low(self) -> float | None:
        return None if self.half is None else self.mean - self.half

    @property
    def high(self) -> float | None:
        return None if self.half is None else self.mean + self.half


def summarize(values: Sequence[float]) -> Summary:
    """Mean and 95 % interval of independent values: mean +- t(0.975, n - 1) * sd / sqrt(n)."""
    finite = tuple(value for value in values if math.isfinite(value))
    n = len(finite)
    scale = max(map(abs, finite), default=0.0) or 1.0  # squares of huge metrics stay finite
    mean = math.fsum(value / scale for value in finite) / n * scale if n else math.nan
    if n < 2:
        return Summary(finite, len(values) - n, mean, None, None)
    squares = math.fsum(((value - mean) / scale) ** 2 for value in finite)
    sd = math.sqrt(squares / (n - 1)) * scale
    half = float(stdtrit(n - 1, 0.5 + LEVEL / 2)) * sd / math.sqrt(n)
    return Summary(finite, len(values) - n, mean, sd, half)


def welch(a: Summary, b: Summary) -> float | None:
    """Two-sided p of equal means under unequal variances (Welch 1947); None where one has a single value.

    t = (mean_a - mean_b) / sqrt(v_a + v_b) with v = sd^2 / n, and Satterthwaite's degrees of freedom
    (v_a + v_b)^2 / (v_a^2 / (n_a - 1) + v_b^2 / (n_b - 1)).
    """
    if a.sd is None or b.sd is None:
        return None
    scale = max(abs(a.mean), abs(b.mean), a.sd, b.sd) or 1.0
    n_a, n_b = len(a.values), len(b.values)
    v_a, v_b = (a.sd / scale) ** 2 / n_a, (b.sd / scale) ** 2 / n_b
    gap = abs(a.mean - b.mean) / scale
    if v_a + v_b == 0:
        return 1.0 if gap == 0 else 0.0
    degrees = (v_a + v_b) ** 2 / (v_a**2 / (n_a - 1) + v_b**2 / (n_b - 1))
    return min(1.0, 2 * float(stdtr(degrees, -gap / math.sqrt(v_a + v_b))))


def overlap(a: Summary, b: Summary) -> bool | None:
    """Whether two intervals have a point in common; None where one has no interval."""
    if a.half is None or b.half is None:
        return None
    return abs(a.mean - b.mean) <= a.half + b.half
