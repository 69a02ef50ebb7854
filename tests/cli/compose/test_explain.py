from __future__ import annotations

import shlex

import pytest

from ganvas.cli.compose.explain import composition_errors, unresolved, values_written
from ganvas.cli.compose.hydra_internals import parse_overrides
from ganvas.cli.compose.nearest import near
from ganvas.errors import OptionError

KNOWN = [
    "seed",
    "model",
    "model.latent_dim",
    "model.ema",
    "model.ema.half_life",
    "model.ema._target_",
    "data",
]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("sed", "; did you mean seed?"),
        ("model.latentdim", "; did you mean model.latent_dim?"),
        ("model.ema.hlf_life", "; did you mean model.ema.half_life?"),
        ("model.ema.zzz", "; there are: half_life"),
        ("generator.latent_dim", "; did you mean model.latent_dim?"),
    ],
)
def test_near(name: str, hint: str) -> None:
    assert near(name, KNOWN) == hint


def test_near_without_a_likeness_lists_a_few_and_points_on_for_many() -> None:
    assert near("zzz", ["a", "b"]) == "; there are: a, b"
    assert near("zzz", [f"key{number}" for number in range(60)]) == "; ganvas train --help lists the groups"


def test_values_written_are_those_of_the_last_override() -> None:
    assert values_written(["a=1", "+b.c=x=y", "~d", "a=2"]) == {"a": "2", "b.c": "x=y", "d": ""}


def test_unresolved_without_a_key() -> None:
    assert str(unresolved(ValueError("odd\nmore"), [])) == (
        "config=: cannot be resolved (odd); write another value"
    )


@pytest.mark.parametrize(
    "value",
    ["it's a $HOME [x], y=z", 'a "b" [c]', "a\\b[c]", 'a\\"b,', "x,]\\", "${paths.data_dir}/a [b]", "ü [1]"],
)
def test_a_value_that_cannot_be_read_is_told_as_it_must_be_written(value: str) -> None:
    """The hint, read by a shell and then by Hydra, is the value."""
    with pytest.raises(OptionError) as caught, composition_errors(None, [f"data.root={value}"]):
        parse_overrides([f"data.root={value}"])
    assert caught.value.option == "data.root"
    start, _, word = caught.value.reason.partition("; quote it: ")
    assert start == "cannot be read"
    (word,) = shlex.split(word)
    (parsed,) = parse_overrides([word])
    assert (parsed.key_or_group, parsed.value()) == ("data.root", value)


@pytest.mark.parametrize(
    "override", ["a=[1", "a={b", "a='x", "a=choice(1", "a=x\0[", "logger.api_key=se[cret"]
)
def test_a_value_that_was_meant_otherwise_or_is_secret_is_not_quoted(override: str) -> None:
    with pytest.raises(OptionError) as caught, composition_errors(None, [override]):
        parse_overrides([override])
    assert "quote it:" not in str(caught.value)
    assert "quote special characters" in str(caught.value)
