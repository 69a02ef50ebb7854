from __future__ import annotations

import pytest

from ganvas.errors import OptionError
from ganvas.sweep.search.space import Space, choice, interval, stepped

pytest.importorskip("optuna")


def test_distributions_and_words() -> None:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    space = Space(
        (
            choice("model", ["a", "b", "a"]),
            interval("+x", 1e-4, 1e-2, log=True),
            interval("n", 1, 64),
            stepped("r", [1, 3, 5], "range(1,6,2)"),
            stepped("f", [0.1, 0.2, 0.3], "range(0.1,0.35,0.1)"),
            stepped("down", [5, 4, 3], "range(5,2,-1)"),
            stepped("one", [7], "range(7,8)"),
        )
    )
    assert space.distributions() == {
        "model": CategoricalDistribution(("a", "b")),
        "x": FloatDistribution(1e-4, 1e-2, log=True),
        "n": IntDistribution(1, 64),
        "r": IntDistribution(1, 5, step=2),
        "f": FloatDistribution(0.1, 0.3, step=0.1),
        "down": IntDistribution(3, 5),
        "one": CategoricalDistribution(("7",)),
    }
    params = {"model": "b", "x": 0.001, "n": 8, "r": 3, "f": 0.1 + 2 * 0.1, "down": 4, "one": "7"}
    assert space.overrides(params) == ["model=b", "+x=0.001", "n=8", "r=3", "f=0.3", "down=4", "one=7"]


def test_the_grid_is_the_product_and_the_last_key_changes_fastest() -> None:
    space = Space((choice("a", ["x", "y"]), stepped("b", [0.1, 0.2, 0.3], ""), interval("c", 1, 2)))
    rows = [tuple(row.values()) for row in space.grid()]
    assert rows == [(a, b, c) for a in ("x", "y") for b in (0.1, 0.2, 0.3) for c in (1, 2)]


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: Space(()), "search=: nothing is varied"),
        (lambda: choice("a", []), r"a=choice\(\): has no values"),
        (
            lambda: interval("a", 2.0, 1.0),
            r"a=interval\(2,1\): must begin below its end; write interval\(1,2\)",
        ),
        (lambda: interval("a", 1.0, 1.0), "holds one number"),
        (lambda: interval("a", 0.0, float("inf")), "must have finite ends"),
        (lambda: interval("a", 0.0, 1.0, log=True), r"a=tag\(log, interval\(0,1\)\): begins at 0"),
        (lambda: interval("a", -1.0, 1.0, log=True), "begins at -1"),
        (lambda: stepped("a", [], "range(5,1)"), r"a=range\(5,1\): is empty"),
        (lambda: stepped("a", [1, 3], "range(1,4,2)", log=True), "steps of 1"),
        (lambda: stepped("a", [0, 1], "range(0,2)", log=True), "begins at 0"),
        (
            lambda: Space((interval("a", 1.0, 100.0, log=True),)).grid(),
            r"has no grid; write a=choice\(1,10,100\)",
        ),
    ],
)
def test_what_is_no_space(make, line: str) -> None:
    with pytest.raises(OptionError, match=line):
        make()


def test_equal_spaces_are_told_equal() -> None:
    one = Space((choice("a", ["1"]), interval("b", 0.0, 1.0)))
    two = Space((interval("b", 0.0, 1.0), choice("a", ["1"])))
    assert one.describe() == two.describe()
    assert (
        one.describe()
        != Space((choice("a", ["1"]), interval("b", 0.0, 1.0, log=False), choice("c", ["1"]))).describe()
    )
    assert interval("b", 0, 1).kind != interval("b", 0.0, 1.0).kind
