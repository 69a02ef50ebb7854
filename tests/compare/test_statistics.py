from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from ganvas.compare.statistics import overlap, summarize, welch


@pytest.mark.parametrize("n", [2, 3, 5, 30])
def test_interval_is_students(n: int) -> None:
    values = np.random.default_rng(n).gamma(2.0, 3.0, n)
    one = summarize(values.tolist())
    low, high = stats.t.interval(0.95, n - 1, loc=values.mean(), scale=stats.sem(values))
    assert one.mean == pytest.approx(values.mean(), rel=1e-12)
    assert one.sd == pytest.approx(values.std(ddof=1), rel=1e-12)
    assert (one.low, one.high) == pytest.approx((low, high), rel=1e-9)


def test_the_interval_of_three_seeds_by_hand() -> None:
    one = summarize([1.0, 2.0, 6.0])  # mean 3, sd sqrt(7), t(0.975, 2) = 4.302653
    assert one.half == pytest.approx(4.3026527 * math.sqrt(7 / 3), rel=1e-6)


@pytest.mark.parametrize(("n_a", "n_b", "gap"), [(3, 3, 1.0), (2, 7, 3.0), (5, 3, 0.1), (4, 9, 8.0)])
def test_welch_is_scipys(n_a: int, n_b: int, gap: float) -> None:
    random = np.random.default_rng(n_a * 10 + n_b)
    a, b = random.normal(10, 1, n_a), random.normal(10 + gap, 3, n_b)
    expected = stats.ttest_ind(a, b, equal_var=False).pvalue
    pooled = stats.ttest_ind(a, b, equal_var=True).pvalue
    p = welch(summarize(a.tolist()), summarize(b.tolist()))
    assert p == pytest.approx(expected, rel=1e-9)
    assert n_a == n_b or abs(expected - pooled) > 1e-4  # the inputs tell the two tests apart


def test_one_value_has_no_interval_and_no_test() -> None:
    one, two = summarize([3.0]), summarize([1.0, 2.0])
    assert (one.mean, one.sd, one.half, one.low, one.high) == (3.0, None, None, None, None)
    assert welch(one, two) is None
    assert welch(two, one) is None
    assert overlap(one, two) is None


def test_values_without_spread() -> None:
    assert welch(summarize([1.0, 1.0]), summarize([1.0, 1.0])) == 1.0
    assert welch(summarize([1.0, 1.0]), summarize([2.0, 2.0])) == 0.0


def test_what_is_not_finite_is_counted_and_left_out() -> None:
    one = summarize([1.0, math.nan, 3.0, math.inf])
    assert (one.values, one.not_finite, one.mean) == ((1.0, 3.0), 2, 2.0)
    nothing = summarize([math.nan])
    assert math.isnan(nothing.mean)
    assert nothing.half is None


def test_huge_and_tiny_values_stay_finite() -> None:
    one, two = summarize([1e300, 3e300]), summarize([1e-300, 3e-300])
    assert one.sd == pytest.approx(math.sqrt(2) * 1e300)
    assert two.sd == pytest.approx(math.sqrt(2) * 1e-300)
    p = welch(one, two)
    assert p == pytest.approx(stats.ttest_ind([1.0, 3.0], [0.0, 0.0], equal_var=False).pvalue)


def test_overlap_of_intervals() -> None:
    a, b, c = summarize([1.0, 1.2, 1.4]), summarize([1.6, 1.8, 2.0]), summarize([9.0, 9.1, 9.2])
    assert a.high > b.low  # by t = 4.3: 1.2 + 0.497 and 1.8 - 0.497
    assert overlap(a, b) is overlap(b, a) is True
    assert overlap(a, c) is overlap(c, a) is False
