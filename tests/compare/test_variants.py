from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from forged_runs import forge

from ganvas.compare.variants import group, trained
from ganvas.errors import OptionError
from ganvas.run.folder.run_folder import RunFolder


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """``run(seed=2, changes={...})``: a forged run's run.yaml."""

    def make(**values: Any) -> dict[str, Any]:
        return RunFolder(forge(tmp_path / str(len(list(tmp_path.iterdir()))), **values)).read_run()

    return make


@pytest.mark.parametrize(
    "changes",
    [
        {"paths.output_dir": "elsewhere"},
        {"name": "other"},
        {"accelerator.accelerator": "gpu"},
        {"accelerator.devices": 4},
        {"trainer.log_every_examples": 7},
        {"callback.record.run_dir": "x"},
        {"logger.tensorboard.save_dir": "x"},
        {"data.num_workers": 3},
        {"data.root": "/x"},
        {"data.mirrors": ["x"]},
        {"model.augment.seed": 9},
        {"hydra.job.num": 3},
        {"resume": "latest"},
    ],
)
def test_what_changes_no_result_makes_no_variant(changes: dict[str, Any], run: Any) -> None:
    assert group([run(), run(seed=2, changes=changes)]) == ([0, 0], ["mlp_gan-digits"])


@pytest.mark.parametrize(
    ("key", "value", "labels"),
    [
        (
            "model.generator_optimizer.lr",
            0.001,
            ["model.generator_optimizer.lr=0.0002", "model.generator_optimizer.lr=0.001"],
        ),
        ("data.batch_size", 32, ["data.batch_size=64", "data.batch_size=32"]),
        ("trainer.max_examples", 1280, ["trainer.max_examples=640", "trainer.max_examples=1280"]),
        (
            "accelerator.precision",
            "bf16-mixed",
            ["accelerator.precision=32-true", "accelerator.precision=bf16-mixed"],
        ),
        (
            "model.generator._target_",
            "ganvas.model.generator.dcgan.DCGANGenerator",
            ["model.generator=MLPGenerator", "model.generator=DCGANGenerator"],
        ),
    ],
)
def test_what_changes_results_makes_a_variant(key: str, value: Any, labels: list[str], run: Any) -> None:
    runs = [run(seed=1), run(seed=1, changes={key: value}), run(seed=2)]
    assert group(runs) == ([0, 1, 0], labels)


def test_another_model_is_named_by_its_choice_alone(run: Any) -> None:
    other = {"model": {"_target_": "ganvas.model.vqvae.VQVAE", "a": 1, "b": 2}, "trainer.max_examples": 1280}
    one = run()
    two = run(changes=other, choices={"model": "vqvae", "model/quantizer": "fsq"})
    assert group([one, two])[1] == [
        "model=mlp_gan",
        "model=vqvae",
    ]


def test_a_label_holds_what_tells_apart_and_what_somebody_wrote(run: Any) -> None:
    """Not what follows from the model (image sizes, epochs that only one recipe counts)."""
    follows = {"data.image_size": 16, "trainer.max_epochs": None, "data.batch_size": 8}
    one, two = run(), run(changes=follows, choices={"model": "dcgan"})
    assert group([one, two])[1] == ["model=mlp_gan", "model=dcgan"]
    two["ganvas"]["overrides"] = ["model=dcgan", "data.batch_size=8", "+x=1", 3]
    assert group([one, two])[1] == [
        "model=mlp_gan, data.batch_size=64",
        "model=dcgan, data.batch_size=8",
    ]
    two["ganvas"]["overrides"] = ["model=dcgan", "trainer.max_epochs=null"]
    assert group([one, two])[1] == ["model=mlp_gan", "model=dcgan, trainer.max_epochs=null"]


def test_of_keys_that_change_together_one_is_enough(run: Any) -> None:
    runs = [run(changes={"model.a": i, "model.b": -i, "trainer.max_epochs": i % 2}) for i in range(3)]
    assert group(runs)[1] == ["model.a=0", "model.a=1", "model.a=2"]
    for one in runs:  # unless somebody has set them
        one["ganvas"]["overrides"] = ["model.a=0", "model.b=0"]
    assert group(runs)[1] == [f"model.a={i}, model.b={-i}" for i in range(3)]


def test_a_key_that_one_variant_alone_has(run: Any) -> None:
    assert group([run(), run(changes={"model.extra": 3})])[1] == ["model.extra=none", "model.extra=3"]


def test_variants_of_one_choice_are_told_apart_by_their_keys(run: Any) -> None:
    faster = {"model.generator_optimizer.lr": 0.001}
    runs = [
        run(),
        run(changes=faster),
        run(changes=faster | {"model.generator.hidden_dim": 9}, choices={"model": "x"}),
    ]
    assert group(runs)[1] == [
        "model=mlp_gan, model.generator_optimizer.lr=0.0002",
        "model=mlp_gan, model.generator_optimizer.lr=0.001",
        "model=x",
    ]


def test_labels_are_short_and_differ(run: Any) -> None:
    keys = [f"model.part.k{i}" for i in range(9)]
    runs = [run(changes=dict.fromkeys(keys[: i + 1], "x" * 900)) for i in range(9)]
    labels = group(runs)[1]
    assert len(set(labels)) == 9
    assert max(map(len, labels)) < 600


def test_values_that_a_label_cuts_are_told_apart(run: Any) -> None:
    runs = [run(changes={"model.x": "x" * 90 + end}) for end in "ab"]
    one, two = group(runs)[1]
    assert one != two
    assert one.partition(" #")[0] == two.partition(" #")[0]


def test_other_data_in_the_folder_make_a_variant(run: Any) -> None:
    one, two = run(), run()
    one["ganvas"]["environment"] = {"data": {"splits": {"train": {"count": 10}}}}
    two["ganvas"]["environment"] = {"data": {"splits": {"train": {"count": 12}}}}
    assert group([one, two])[1] == ["data.splits.train.count=10", "data.splits.train.count=12"]


@pytest.mark.parametrize(
    "ganvas", [None, 3, {}, {"choices": [1]}, {"choices": {"model": [1]}, "environment": 2}]
)
def test_a_run_that_says_nothing_of_itself(ganvas: Any, run: Any) -> None:
    one, two = run(), run(changes={"model": None, "data": 3})
    one["ganvas"] = two["ganvas"] = ganvas
    assert len(set(group([one, two])[1])) == 2


def test_a_config_without_an_end_is_refused(run: Any) -> None:
    one = run()
    node = one["config"]["model"]
    for _ in range(60):
        node["a"] = {}
        node = node["a"]
    node["a"] = 1
    with pytest.raises(OptionError, match="nested too deeply"):
        trained(one)


def test_sizes_that_one_run_did_not_record_tell_none_apart(run: Any) -> None:
    runs = [run(seed=1), run(seed=2), run(seed=3)]
    for one, count in zip(runs[:2], (10, 10)):
        one["ganvas"]["environment"] = {"data": {"splits": {"train": {"count": count}}}}
    runs[2]["ganvas"].pop("environment", None)
    assert group(runs)[0] == [0, 0, 0]
    runs[2]["ganvas"]["environment"] = {"data": {"splits": {"train": {"count": 9}}}}
    assert group(runs)[0] == [0, 0, 1]


def test_an_option_tells_variants_apart_before_the_sizes_that_follow_from_it(run: Any) -> None:
    """Two fractions that are held out make splits of other sizes, too."""
    runs = [run(changes={"data.val_fraction": part}) for part in (0.1, 0.2)]
    for count, one in zip((90, 80), runs, strict=True):
        one["ganvas"]["environment"] = {"data": {"splits": {"train": {"count": count}}}}
    assert group(runs) == ([0, 1], ["data.val_fraction=0.1", "data.val_fraction=0.2"])
