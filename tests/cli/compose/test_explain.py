from __future__ import annotations

import pytest

from ganvas.cli.compose.explain import unresolved, values_written
from ganvas.cli.compose.nearest import near

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
    assert near("zzz", [f"key{number}" for number in range(30)]) == "; ganvas train --help lists the groups"


def test_values_written_are_those_of_the_last_override() -> None:
    assert values_written(["a=1", "+b.c=x=y", "~d", "a=2"]) == {"a": "2", "b.c": "x=y", "d": ""}


def test_unresolved_without_a_key() -> None:
    assert str(unresolved(ValueError("odd\nmore"), [])) == (
        "config=: cannot be resolved (odd); write another value"
    )
