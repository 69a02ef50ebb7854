from __future__ import annotations

import pytest

from ganvas.cli.compose.session import hydra_session
from ganvas.cli.sweep.search.space import overrides_of, parse
from ganvas.errors import OptionError
from ganvas.sweep.search.space import Dimension


@pytest.fixture(scope="module")
def hydra():
    with hydra_session(None) as session:
        yield session


@pytest.mark.parametrize(
    ("word", "dimension"),
    [
        ("a.b=1,2,x", Dimension("a.b", "choice", ("1", "2", "x"))),
        ("a=choice(8,16)", Dimension("a", "choice", ("8", "16"))),
        ("a='x y',null,[1,2]", Dimension("a", "choice", ("'x y'", "null", "[1,2]"))),
        ("+a=sort(3,1,2)", Dimension("+a", "choice", ("1", "2", "3"))),
        ("a=interval(1e-4,1)", Dimension("a", "float", low=1e-4, high=1.0)),
        ("a=tag(log,interval(1e-4,1))", Dimension("a", "float", low=1e-4, high=1.0, log=True)),
        ("a=int(interval(1,64))", Dimension("a", "int", low=1, high=64)),
        ("a=tag(log,int(interval(1,64)))", Dimension("a", "int", low=1, high=64, log=True)),
        ("a=range(1,5)", Dimension("a", "int", low=1, high=4, step=1)),
        ("a=range(1,10,4)", Dimension("a", "int", low=1, high=9, step=4)),
        ("a=range(0,1,0.25)", Dimension("a", "float", low=0.0, high=0.75, step=0.25)),
        ("a=float(range(1,4))", Dimension("a", "float", low=1.0, high=3.0, step=1.0)),
        ("a=range(5,1,-2)", Dimension("a", "int", low=3, high=5, step=2)),
        ("a=tag(log,range(1,9))", Dimension("a", "int", low=1, high=8, step=1, log=True)),
        ("model/adversarial_loss=glob(*e)", Dimension("model/adversarial_loss", "choice", ("hinge",))),
    ],
)
def test_hydras_grammar(word: str, dimension: Dimension, hydra) -> None:
    fixed, space = parse(["x=1", word], hydra)
    assert fixed == ["x=1"]
    (found,) = space.dimensions
    assert found == dimension
    assert [type(one) for one in (found.low, found.high)] == [type(dimension.low), type(dimension.high)]


def test_the_last_word_counts(hydra) -> None:
    fixed, space = parse(["a=1,2", "b=1", "b=3,4", "a=5"], hydra)
    assert fixed == ["a=5"]
    assert [one.option for one in space.dimensions] == ["b"]


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("a=interval(2,1)", r"a=interval\(2,1\): must begin below"),
        ("a=tag(log,interval(0,1))", "needs more than 0"),
        ("a=tag(lin,interval(0,1))", r"a=tag\(lin,interval\(0,1\)\): has the tag lin; there is: log"),
        ("a=tag(log,choice(1,2))", "is a choice"),
        ("a=shuffle(range(1,5))", "has no order to shuffle"),
        ("a=range(5,1)", r"a=range\(5,1\): is empty"),
        ("a=range(1,1000000000000)", "lists 999,999,999,999 values; at most 1,000,000"),
        ("a=range(1,2,0)", "has a step of 0"),
        ("a=range(1,inf)", "an end that is not finite"),
        ("a=interval(1,", r"a=interval\(1,: cannot be read"),
        ("model=glob(nothing*)", r"model=choice\(\): has no values"),
        ("seed=1,2", "sweep.repeats=3 averages over seeds"),
        ("a=1", "nothing is varied"),
    ],
)
def test_what_is_no_space(word: str, line: str, hydra) -> None:
    with pytest.raises(OptionError, match=line):
        parse([word], hydra)


def test_params_of_a_yaml() -> None:
    assert overrides_of({"a.b": "interval(0,1)", "c": 3, "d": True}) == ["a.b=interval(0,1)", "c=3", "d=true"]
    with pytest.raises(OptionError, match=r"hydra.sweeper.params.a=\[1, 2\]: must be text"):
        overrides_of({"a": [1, 2]})
