from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import Sequence
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import pytest
import pytorch_lightning.callbacks
import pytorch_lightning.loggers
import torch
import yaml

from ganvas.errors import OptionError, require
from ganvas.run.config.build import bind, build, check_targets, coerce, nearest


class Inner:
    def __init__(self, *, size: int, rate: float = 0.5) -> None:
        require(size > 0, "size", size, "must be positive")
        self.size, self.rate = size, rate


class Outer:
    def __init__(self, *, inner: Inner, others: list[Any] | None = None, name: str = "x") -> None:
        self.inner, self.others, self.name = inner, others, name


class Open:
    def __init__(self, first: int, **rest: Any) -> None:
        self.first, self.rest = first, rest


def unresolvable(value: NoSuchType) -> object:  # type: ignore[name-defined]  # noqa: F821
    return value


@pytest.fixture(autouse=True)
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The classes above as the importable module ``parts``."""
    module = types.ModuleType("parts")
    for part in (Inner, Outer, Open, unresolvable):
        setattr(module, part.__name__, part)
    module.number = 3
    monkeypatch.setitem(sys.modules, "parts", module)


def test_nested_nodes_are_built_first() -> None:
    made = build(
        {
            "_target_": "parts.Outer",
            "inner": {"_target_": "parts.Inner", "size": 3, "rate": 1},
            "others": [{"_target_": "parts.Inner", "size": 4}, {"plain": {"_target_": None}}, 5],
            "name": "y",
        },
        "model",
    )
    assert (made.inner.size, made.inner.rate, made.name) == (3, 1.0, "y")
    assert type(made.inner.rate) is float
    assert made.others[0].size == 4
    assert made.others[1:] == [{"plain": None}, 5]


def test_null_target_is_none() -> None:
    assert build({"_target_": None, "size": 3}, "model.ema") is None
    assert build({}, "model.ema") is None


def test_partial_leaves_the_call_to_the_receiver() -> None:
    made = build({"_target_": "parts.Inner", "_partial_": True, "rate": "2e-3"}, "model.optimizer")
    assert isinstance(made, functools.partial)
    assert made(size=7).rate == 0.002


def test_partial_is_checked_all_the_same() -> None:
    with pytest.raises(OptionError, match=r"^model\.optimizer\.rat=1: .*did you mean rate\?"):
        build({"_target_": "parts.Inner", "_partial_": True, "rat": 1}, "model.optimizer")


def test_shared_keys_are_not_passed() -> None:
    node = {"_target_": "parts.Inner", "_shared_": ["native_size", "note"], "size": 3, "native_size": 28}
    assert build(node | {"note": {"_target_": "parts.no_such"}}, "data").size == 3


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"_target_": "parts.Inner", "siz": 3}, "^m.siz=3: is not an option of m; did you mean size?"),
        ({"_target_": "parts.Inner", "zzz": 3}, "^m.zzz=3: .*there are: rate, size$"),
        ({"_target_": "parts.Inner"}, "^m.size=: is missing; give m.size=VALUE$"),
        ({"_target_": "parts.Inner", "size": -1}, "^m.size=-1: must be positive$"),
        ({"_target_": "parts.Inner", "size": "abc"}, "^m.size=abc: must be a whole number$"),
        (
            {"_target_": "parts.Outer", "inner": {"_target_": "parts.Inner", "size": 0}},
            "^m.inner.size=0: must be positive$",
        ),
        ({"_target_": "parts.Outer", "inner": None}, "^m.inner=null: must be Inner$"),
        ({"_target_": "parts.Outer", "inner": 3}, "^m.inner=3: must be Inner$"),
        ({"_target_": "parts.Gone"}, "^m._target_=parts.Gone: is not in its module"),
        ({"_target_": "no_such_parts.Gone"}, "^m._target_=no_such_parts.Gone: cannot be imported"),
        ({"_target_": "parts.number"}, "^m._target_=parts.number: is neither a class nor a function$"),
        ({"_target_": "parts.Inner", "size": 1, "x": {"_target_": "parts.Inner", "size": 1}}, "^m.x=Inner: "),
    ],
)
def test_errors_name_the_full_path(node: dict, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        build(node, "m")


def test_further_keywords_pass_where_the_target_takes_any() -> None:
    made = build({"_target_": "parts.Open", "first": 1.0, "other": "2"}, "m")
    assert (made.first, made.rest) == (1, {"other": "2"})


def test_an_annotation_that_says_nothing_checks_nothing() -> None:
    assert build({"_target_": "parts.unresolvable", "value": "abc"}, "m") == "abc"
    assert bind(torch.nn.Linear, {"in_features": 3, "out_features": 2}, "m")["out_features"] == 2


class Pace(Enum):
    SLOW = 1
    FAST = 2


T = TypeVar("T")
GOOD = [
    (3, int, 3),
    (3.0, int, 3),
    ("3", int, 3),
    (3, float, 3.0),
    (0.25, float, 0.25),
    ("1e-3", float, 0.001),
    ("3", float, 3.0),
    (True, bool, True),
    ("3", str, "3"),
    ("3", int | str, "3"),
    (None, int | None, None),
    (4, int | None, 4),
    (2, float | None, 2.0),
    (2, int | float, 2),
    (0.5, int | float, 0.5),
    ("0.5", int | float | None, 0.5),
    (False, bool | int, False),
    (2, bool | int, 2),
    ([1, 2.0, "3"], list[int], [1, 2, 3]),
    ([1, 2], list[float], [1.0, 2.0]),
    ([0.5, 1], tuple[float, float], (0.5, 1.0)),
    ([1, 2, 3], tuple[int, ...], (1, 2, 3)),
    ([[1], [2, 3]], list[list[int]], [[1], [2, 3]]),
    ([1], int | str | list[int], [1]),
    (None, list[int] | None, None),
    ({"a": 1}, dict, {"a": 1}),
    ("x", Any, "x"),
    ("step", Literal["step", "epoch"], "step"),
    (None, Literal["step", "epoch"] | None, None),
    ("link", bool | Literal["link"] | None, "link"),
    (True, Literal[True, False, "all"], True),
    (True, Literal["all"] | bool | None, True),
    ([1, 2], Sequence[int], [1, 2]),
    ([1, 0.5], Sequence[float] | float, [1.0, 0.5]),
    (2, Sequence[float] | float, 2.0),
    ([["a"], ["b"]], Sequence[tuple[str]], [("a",), ("b",)]),
    (["a", "a"], set[str], {"a"}),
    ({"a": 1}, dict[str, float], {"a": 1.0}),
    ({1: "2"}, dict[int, int], {1: 2}),
    ("01:00:05", timedelta | None, timedelta(hours=1, seconds=5)),
    ("2:01:00:05", timedelta, timedelta(days=2, hours=1, seconds=5)),
    ("00:00:00", timedelta, timedelta()),
    ("runs/x", Path, Path("runs/x")),
    ("runs/x", str | Path | None, "runs/x"),
    (3, Annotated[int, "examples"], 3),
    ("slow", Pace, Pace.SLOW),
    (7, T, 7),
]


@pytest.mark.parametrize(("value", "hint", "expected"), GOOD)
def test_coerce_takes(value: object, hint: Any, expected: object) -> None:
    made = coerce(value, hint, "m.x")
    assert made == expected
    assert type(made) is type(expected)
    if isinstance(expected, list | tuple):
        assert [type(item) for item in made] == [type(item) for item in expected]


BAD = [
    ("abc", int),
    (1.5, int),
    ("1.5", int),
    (True, int),
    (None, int),
    ([1], int),
    ("abc", float),
    (True, float),
    (None, float),
    (float("nan"), float),
    (float("inf"), float),
    ("nan", float),
    ("inf", float | None),
    (1, bool),
    ("true", bool),
    (None, bool),
    (3, str),
    (None, str),
    ([], str),
    ("abc", int | None),
    (True, int | None),
    (3, list[int]),
    ("abc", list[int]),
    ([1, "a"], list[int]),
    ([1, 1.5], tuple[int, ...]),
    ([0.5], tuple[float, float]),
    ([0.5, 0.6, 0.7], tuple[float, float]),
    (None, list[int]),
    ("day", Literal["step", "epoch"]),
    (1, Literal[True, False]),
    (True, Literal[1, 2]),
    ("other", bool | Literal["link"] | None),
    ("abc", Sequence[str]),
    ([1, "a"], Sequence[int]),
    ({"a": "b"}, dict[str, int]),
    ("an hour", timedelta),
    (36000, timedelta),
    (3, Path),
    ("medium", Pace),
    (torch.nn.ReLU(), torch.nn.Linear),
    (torch.nn.ReLU(), int | None),
    (torch.nn.ReLU(), dict[str, int]),
    ({"a": torch.nn.ReLU()}, dict[str, torch.nn.Linear]),
    ([torch.nn.ReLU()], list[torch.nn.Linear]),
]


@pytest.mark.parametrize(
    ("value", "hint", "reason"),
    [
        (True, str | list[int], "must be text or a list, e.g. [1, 2]"),
        (None, str | list[int], "must be text or a list, e.g. [1, 2]"),
        ("abc", list[int] | None, "must be a list, e.g. [1, 2]"),
        ("abc", int | float | list[float], "must be a whole number or a number or a list, e.g. [1, 2]"),
    ],
)
def test_a_refusal_names_all_that_may_stand_there(value: Any, hint: Any, reason: str) -> None:
    with pytest.raises(OptionError) as caught:
        coerce(value, hint, "a.b")
    assert caught.value.reason == reason


@pytest.mark.parametrize(("value", "hint"), BAD)
def test_coerce_refuses(value: object, hint: Any) -> None:
    with pytest.raises(OptionError, match=r"^m\.x"):
        coerce(value, hint, "m.x")


def test_coerce_keeps_objects() -> None:
    module = torch.nn.ReLU()
    assert coerce(module, torch.nn.Module, "m.x") is module
    assert coerce(module, torch.nn.Module | None, "m.x") is module


def test_a_literal_is_refused_with_what_there_is() -> None:
    with pytest.raises(OptionError, match=r"^m\.x=day: must be step or epoch or null$"):
        coerce("day", Literal["step", "epoch"] | None, "m.x")


@pytest.mark.parametrize(("text", "number"), [("10:00:00", 36000), ("1:30:05", 5405), ("12:30", 750)])
def test_a_time_without_quotes_is_told_from_its_number(text: str, number: int) -> None:
    """YAML 1.1 has numbers to the base 60."""
    assert yaml.safe_load(text) == number
    with pytest.raises(OptionError, match=rf"reads {text} without them as {number}$"):
        coerce(number, timedelta | None, "m.x")
    with pytest.raises(OptionError, match=rf"^m\.x={number}: must be text or null; .* reads {text} "):
        coerce(number, str | None, "m.x")
    assert coerce(number, int, "m.x") == number


def test_an_object_of_another_kind_is_named_with_the_kind() -> None:
    with pytest.raises(OptionError, match=r"^m\.x=torch\.nn\.modules\.\S*ReLU: must be Linear; its class"):
        coerce(torch.nn.ReLU(), torch.nn.Linear, "m.x")


PLAIN = (str, int, float, bool, list, dict, type(None))
LIGHTNING = [
    *(f"callbacks.{name}" for name in pytorch_lightning.callbacks.__all__),
    *(f"loggers.{name}" for name in pytorch_lightning.loggers.__all__),
]


@pytest.mark.parametrize("name", LIGHTNING)
def test_lightnings_classes_take_their_own_defaults(name: str) -> None:
    """Each default, as YAML would write it, fits the annotation that stands beside it."""
    kind = getattr(getattr(pytorch_lightning, name.partition(".")[0]), name.partition(".")[2])
    parameters = inspect.signature(kind).parameters.values()
    defaults = {one.name: one.default for one in parameters if one.default is not one.empty}
    plain = {key: value for key, value in defaults.items() if type(value) in PLAIN}
    bound = bind(kind, plain, "x", partial=True)
    assert bound == plain


def test_annotations_are_read_one_by_one() -> None:
    """Of the WandbLogger's one cannot be resolved; the others are held all the same."""
    kind = pytorch_lightning.loggers.WandbLogger
    with pytest.raises(OptionError, match=r"^x\.offline=7: must be true or false$"):
        bind(kind, {"offline": 7}, "x", partial=True)


def test_nearest() -> None:
    assert nearest("latent_dmi", ["seed", "latent_dim"]) == "; did you mean latent_dim?"
    assert nearest("zzz", ["seed", "latent_dim"]) == "; there are: latent_dim, seed"


@pytest.mark.parametrize(
    ("tree", "option"),
    [
        ({"_target_": "os.system"}, "m._target_"),
        (
            {"_target_": "ganvas.model.gan.GAN", "a": [1, {"b": {"_target_": "canary.f"}}]},
            "m.a[1].b._target_",
        ),
        ({"_target_": "ganvasx.f"}, "m._target_"),
        ({"_target_": "torch.load"}, "m._target_"),
        ({"_target_": "torch.hub.load"}, "m._target_"),
        ({"_target_": "mine_too.f"}, "m._target_"),
        ({"_target_": ["ganvas.model.gan.GAN"]}, "m._target_"),
        ({"_target_": {"x": 1}}, "m._target_"),
        ({"_shared_": ["a"], "a": {"_target_": "os.system"}}, "m.a._target_"),
    ],
)
def test_foreign_targets_are_refused_anywhere_in_the_tree(tree: dict, option: str) -> None:
    with pytest.raises(OptionError, match=r"allow-list.*--config-dir.*--allow-imports") as caught:
        check_targets(tree, ["mine"], "m")
    assert caught.value.option == option


@pytest.mark.parametrize(
    "target", ["ganvas.model.gan.GAN", "torch.optim.Adam", "torch.nn.ReLU", "mine.f", "mine", None]
)
def test_allowed_targets_pass(target: str | None) -> None:
    check_targets({"a": [{"_target_": target}]}, ["mine"])


def test_nothing_is_imported_by_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "canary_of_build.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(OptionError):
        check_targets({"a": {"_target_": "ganvas.cli.main.main"}, "b": {"_target_": "canary_of_build.f"}})
    assert "canary_of_build" not in sys.modules
