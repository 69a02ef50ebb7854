from __future__ import annotations

import math
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy import stats

from ganvas.compare.show.lines import Recorded, clock, make_charts, over_seeds
from ganvas.compare.show.plot import draw
from ganvas.compare.show.svg import panel

VALUES = [[1.0, 2.0, 4.0], [3.0, 2.5, 4.5], [2.0, 7.0, 4.0]]  # of three seeds
EXAMPLES = [10, 20, 40]


def recorded(values: list[list[float]]) -> list[Recorded]:
    return [Recorded(f"r{i}", 0, {"loss/g": (EXAMPLES, one)}) for i, one in enumerate(values)]


def expected() -> list[tuple[float, float]]:
    """The interval of each point by scipy."""
    return [
        stats.t.interval(0.95, 2, loc=np.mean(at), scale=stats.sem(at)) for at in zip(*VALUES, strict=True)
    ]


def test_a_band_is_the_interval_that_scipy_computes() -> None:
    (chart,) = make_charts(recorded(VALUES), ["loss/g"], ["a"], most_points=100)
    (line,) = chart.lines
    assert line.curve[1] == pytest.approx(np.mean(VALUES, 0).tolist())
    assert line.band is not None
    assert list(zip(*line.band, strict=True)) == [pytest.approx(one, rel=1e-9) for one in expected()]


def test_the_band_is_in_both_drawings(tmp_path) -> None:
    """Read back from the files: pixels of either are a linear map of the same numbers."""
    (chart,) = make_charts(recorded(VALUES), ["loss/g"], ["a"], most_points=100)
    low, high = chart.lines[0].band
    wanted = [*high, *low[::-1]]
    root = ElementTree.fromstring(panel(chart.title, chart.lines))
    (path,) = (one.get("d") for one in root.iter("path") if "band" in one.get("class"))
    ys = [float(pair.split()[1]) for pair in path.strip("MZ").split("L")]
    assert abs(np.corrcoef(ys, wanted)[0, 1] + 1) < 1e-4  # down is more in SVG

    draw([chart], ["a"], tmp_path / "x.svg")
    root = ElementTree.fromstring((tmp_path / "x.svg").read_bytes())
    filled = [
        one.get("d")
        for group in root.iter()
        if "FillBetween" in (group.get("id") or "")
        for one in group.iter()
        if one.tag.endswith("path")
    ]
    numbers = [float(word) for word in filled[0].split() if word not in "MLz"]
    drawn = sorted({round(y, 3) for y in numbers[1::2]})
    told = sorted({*low, *high}, reverse=True)
    assert len(drawn) == len(told)
    assert abs(np.corrcoef(drawn, told)[0, 1] + 1) < 1e-6


def test_seeds_share_what_all_of_them_have() -> None:
    mean = over_seeds([([1, 2, 3], [1.0, 2.0, 3.0]), ([2, 3, 4], [4.0, 5.0, 6.0])], 100)
    assert mean is not None
    assert (mean.examples, mean.mean) == ([2, 3], [3.0, 4.0])
    assert over_seeds([([1, 2], [1.0, 2.0]), ([2, 3], [1.0, 2.0])], 100) is None


def test_what_is_left_out_is_told() -> None:
    notes: list[str] = []
    runs = [
        Recorded("r", 0, {"a": ([1, 2, 3], [1.0, 2.0, 3.0]), "b": ([1, 2], [1.0, 2.0])}),
        Recorded("r", 0, {"a": ([1, 2], [1.0, 3.0]), "b": ([3, 4], [1.0, 2.0])}),
    ]
    first, second = make_charts(runs, ["a", "b"], ["v"], most_points=9, notes=notes)
    assert notes == [
        "v: the mean of a ends at 2 examples of 3, with a seed",
        "v: its seeds have b at other examples each; drawn one by one",
    ]
    assert [len(first.lines), len(second.lines)] == [1, 2]


def test_thousands_of_points_are_thinned_at_the_same_examples() -> None:
    examples = list(range(1, 5001))
    runs = [Recorded(f"{i}", 0, {"a": (examples, [float(i)] * 5000)}) for i in range(2)]
    (chart,) = make_charts(runs, ["a"], ["v"], most_points=100, seeds=True)
    assert all(len(line.curve[0]) <= 101 and line.curve[0][-1] == 5000 for line in chart.lines)


@pytest.mark.parametrize("speeds", [([], []), ([10], [0.0])])
def test_no_speed_tells_no_time(speeds) -> None:
    assert clock({"speed/examples_per_second": speeds}) is None
    assert clock({}) is None


def test_a_clock_adds_up_the_rows() -> None:
    tell = clock({"speed/examples_per_second": ([100, 300], [50.0, 20.0])})
    assert tell is not None
    assert [tell(x) for x in (0, 50, 100, 200, 300, 320)] == pytest.approx([0, 1, 2, 7, 12, 13])
    assert math.isfinite(tell(1e9))


def test_long_runs_are_told_in_hours() -> None:
    runs = [
        Recorded("a", 0, {"x": ([1, 36_000], [1.0, 2.0]), "speed/examples_per_second": ([36_000], [1.0])})
    ]
    (chart,) = make_charts(runs, ["x"], ["v"], most_points=9, by_time=True)
    assert chart.x_label == "training time, hours"
    assert chart.lines[0].curve[0][-1] == pytest.approx(10.0)
