"""What a resumed run may change without leave."""

from __future__ import annotations

import pytest

from ganvas.errors import OptionError
from ganvas.run.checkpoint.drift import check_drift, config_drift
from ganvas.run.folder.differences import differences

OLD = {
    "seed": 1,
    "model": {"latent_dim": 64, "optimizer": {"lr": 2e-4, "betas": [0.5, 0.999]}},
    "data": {"batch_size": 64, "num_workers": 0, "root": "a"},
    "trainer": {"max_examples": 100, "deterministic": False},
    "callback": {"record": {"run_dir": "a"}},
}


def changed(path: str, value: object) -> dict:
    def copy(node: dict) -> dict:
        return {key: copy(item) if isinstance(item, dict) else item for key, item in node.items()}

    new = copy(OLD)
    *parents, last = path.split(".")
    node = new
    for parent in parents:
        node = node[parent]
    node[last] = value
    return new


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("seed", 2),
        ("model.latent_dim", 32),
        ("model.optimizer.betas", [0.9, 0.999]),
        ("data.batch_size", 32),
        ("trainer.deterministic", True),
        ("data.something_new", 1),
        ("trainer.max_examples_of_another", 5),
    ],
)
def test_what_changes_training_is_drift(path: str, value: object) -> None:
    ((key, _, new),) = config_drift(OLD, changed(path, value))
    assert (key, new) == (path, value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("data.num_workers", 2),
        ("data.root", "b"),
        ("trainer.max_examples", 200),
        ("callback.record", None),
        ("callback.preview", {"num": 4}),
        ("logger", {"x": 1}),
        ("name", "other"),
    ],
)
def test_what_does_not_is_none(path: str, value: object) -> None:
    assert config_drift(OLD, changed(path, value)) == []


def test_every_difference_is_listed_and_the_first_is_named() -> None:
    drift = config_drift(OLD, changed("seed", 2) | {"data": OLD["data"] | {"batch_size": 32}})
    with pytest.raises(
        OptionError, match=r"^seed=2: .*seed: 1 -> 2; data.batch_size: 64 -> 32.*allow_drift=true"
    ):
        check_drift(drift, allowed=False)
    assert check_drift(drift, allowed=True) == [
        {"option": "seed", "old": 1, "new": 2},
        {"option": "data.batch_size", "old": 64, "new": 32},
    ]
    assert check_drift([], allowed=False) == []


def test_differences_walk_both_sides() -> None:
    assert list(differences({"a": {"b": 1, "c": 2}}, {"a": {"c": 3, "d": 4}})) == [
        ("a.b", 1, None),
        ("a.c", 2, 3),
        ("a.d", None, 4),
    ]
