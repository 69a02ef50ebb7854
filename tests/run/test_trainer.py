from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from pytorch_lightning.strategies import DDPStrategy

from ganvas.errors import OptionError
from ganvas.run.checkpoint.io import DurableCheckpointIO
from ganvas.run.trainer import (
    AcceleratorOptions,
    TrainerOptions,
    available_devices,
    batch_count,
    make_trainer,
    total_examples,
    validation_interval,
)

CONF = Path(__file__).parents[2] / "conf"


def options(**changes: Any) -> TrainerOptions:
    """conf/trainer/default.yaml, changed."""
    return TrainerOptions(**yaml.safe_load((CONF / "trainer" / "default.yaml").read_text()) | changes)


def machine(**changes: Any) -> AcceleratorOptions:
    """conf/accelerator/auto.yaml on the CPU, changed."""
    values = yaml.safe_load((CONF / "accelerator" / "auto.yaml").read_text())
    return AcceleratorOptions(**values | {"accelerator": "cpu"} | changes)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for value in (0, -1) for name in ("max_examples", "max_epochs", "max_steps")),
        *((name, 0) for name in ("log_every_examples", "val_every_examples", "check_val_every_n_epoch")),
        ("val_check_interval", 0),
        ("val_check_interval", 0.0),
        ("val_check_interval", 1.5),
        ("limit_train_batches", -1),
        ("limit_train_batches", 0),
        ("limit_train_batches", 0.0),
        ("limit_val_batches", 1.5),
        ("overfit_batches", -0.5),
        ("num_sanity_val_steps", -2),
        ("fast_dev_run", -1),
        ("max_time", "12 hours"),
        ("max_time", "1:2:3"),
        ("max_time", "00:00:60:00"),
        ("max_time", "00:00:00:60"),
        ("max_time", "00:00:00:00"),
        ("profiler", "none"),
        ("non_finite", "ignore"),
        ("max_skips", 0),
        ("max_rollbacks", 0),
    ],
)
def test_trainer_options_refuse(name: str, value: Any) -> None:
    with pytest.raises(OptionError, match=f"^{name}="):
        options(**{name: value})


@pytest.mark.parametrize(
    "changes",
    [
        {"max_examples": None, "max_epochs": 1},
        {"max_examples": None, "max_steps": 1},
        {"max_examples": None, "max_time": "00:00:10:00"},
        {"max_examples": None, "fast_dev_run": True},
        {"val_check_interval": 1.0},
        {"limit_train_batches": 1.0, "limit_val_batches": 0},
        {"num_sanity_val_steps": -1},
        {"profiler": "simple"},
    ],
)
def test_trainer_options_take(changes: dict[str, Any]) -> None:
    assert getattr(options(**changes), next(iter(changes))) == next(iter(changes.values()))


def test_a_budget_is_needed() -> None:
    with pytest.raises(OptionError, match="max_examples, max_epochs, max_steps or max_time"):
        options(max_examples=None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accelerator", "tpu"),
        ("strategy", "deepspeed"),
        ("precision", "foo"),
        ("precision", "64-true"),
        ("threads", 1025),
        ("matmul_precision", "low"),
        ("num_nodes", 0),
        ("threads", 0),
        ("devices", 0),
        ("devices", 10_000),
        ("devices", "many"),
        ("devices", "0"),
        ("devices", []),
        ("devices", [0]),
    ],
)
def test_accelerator_options_refuse(name: str, value: Any) -> None:
    with pytest.raises(OptionError, match=f"^{name}="):
        machine(**{name: value})


@pytest.mark.parametrize("devices", [1, "auto", "1"])
def test_accelerator_options_take(devices: Any) -> None:
    assert machine(devices=devices).devices == devices


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there() -> None:
    with pytest.raises(OptionError, match="no CUDA device; accelerator=cpu"):
        machine(accelerator="gpu")
    assert machine(accelerator="auto").uses_cpu


def test_numbers_of_gpus_are_different_and_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert available_devices("gpu") == 3
    assert machine(accelerator="gpu", devices=[0, 2]).devices == [0, 2]
    for devices in ([0, 0], [3], [-1], 4):
        with pytest.raises(OptionError, match=r"^devices="):
            machine(accelerator="gpu", devices=devices)


@pytest.mark.parametrize(
    ("examples", "batch_size", "batches"),
    [(None, 64, None), (1, 64, 1), (64, 64, 1), (65, 64, 2), (640, 64, 10), (641, 64, 11)],
)
def test_batch_count(examples: int | None, batch_size: int, batches: int | None) -> None:
    assert batch_count(examples, batch_size) == batches


@pytest.mark.parametrize(
    ("changes", "interval"),
    [
        ({}, (None, 1)),
        ({"check_val_every_n_epoch": 3}, (None, 3)),
        ({"check_val_every_n_epoch": None}, (None, 1)),
        ({"val_every_examples": 640}, (10, None)),
        ({"val_every_examples": 650, "check_val_every_n_epoch": 5}, (11, None)),
        ({"val_check_interval": 7, "check_val_every_n_epoch": None}, (7, None)),
        ({"val_check_interval": 7, "check_val_every_n_epoch": 2}, (7, 2)),
        ({"val_check_interval": 0.5, "check_val_every_n_epoch": None}, (0.5, 1)),
    ],
)
def test_validation_interval(changes: dict[str, Any], interval: tuple) -> None:
    assert validation_interval(options(**changes), 64) == interval


@pytest.mark.parametrize(
    ("changes", "interval"),
    [  # an epoch of 1,437 samples has 22 batches of 64
        ({"max_examples": 21 * 64}, (21, None)),
        ({"max_examples": 22 * 64}, (None, 1)),
        ({"max_examples": 65 * 64, "check_val_every_n_epoch": 3}, (65, None)),
        ({"max_examples": 66 * 64, "check_val_every_n_epoch": 3}, (None, 3)),
        ({"max_epochs": 2, "check_val_every_n_epoch": 3}, (44, None)),
        ({"max_steps": 9, "val_every_examples": 640}, (9, None)),
        ({"max_steps": 10, "val_every_examples": 640}, (10, None)),
        ({"max_steps": 6, "val_check_interval": 7, "check_val_every_n_epoch": None}, (6, None)),
        ({"max_steps": 28, "val_check_interval": 7, "check_val_every_n_epoch": 2}, (28, None)),
        ({"max_steps": 29, "val_check_interval": 7, "check_val_every_n_epoch": 2}, (7, 2)),
        ({"max_steps": 10, "val_check_interval": 0.5}, (10, None)),
        ({"max_steps": 11, "val_check_interval": 0.5}, (0.5, 1)),
        ({"max_epochs": 1, "limit_train_batches": 4}, (None, 1)),
        ({"max_examples": None, "max_time": "00:00:00:10", "val_every_examples": 64000}, (1000, None)),
    ],
)
def test_a_run_shorter_than_its_validation_interval_is_validated_at_its_end(
    changes: dict[str, Any], interval: tuple[Any, Any]
) -> None:
    assert validation_interval(options(**changes), 64, 1437) == interval


@pytest.mark.parametrize(
    ("changes", "steps", "epochs", "total"),
    [
        ({"max_examples": 640}, 10, -1, 640),
        ({"max_examples": 650}, 11, -1, 704),
        ({"max_examples": 640, "max_steps": 3}, 3, -1, 192),
        ({"max_examples": None, "max_epochs": 2}, -1, 2, 2 * 22 * 64),
        ({"max_examples": 640, "max_epochs": 2}, 10, 2, 640),
        ({"max_examples": 640_000, "max_epochs": 2}, 10_000, 2, 2 * 22 * 64),
        ({"max_examples": None, "max_time": "00:00:00:10"}, -1, -1, None),
    ],
)
def test_the_smallest_budget_ends_the_run(
    changes: dict[str, Any], steps: int, epochs: int, total: int | None, tmp_path: Path
) -> None:
    trainer = make_trainer(
        options(**changes),
        machine(),
        batch_size=64,
        callbacks=[],
        loggers=[],
        run_dir=str(tmp_path),
    )
    assert (trainer.max_steps, trainer.max_epochs) == (steps, epochs)
    assert total_examples(options(**changes), batch_size=64, train_samples=1437) == total
    assert isinstance(trainer.strategy.checkpoint_io, DurableCheckpointIO)
    assert trainer.checkpoint_callbacks == []
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("devices", "ddp"), [(1, False), ("1", False), (2, True)])
def test_ddp_only_where_there_are_several(devices: Any, ddp: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    trainer = make_trainer(
        options(),
        machine(strategy="ddp", devices=devices, process_group_backend="gloo"),
        batch_size=64,
        callbacks=[],
        loggers=[],
        run_dir=".",
    )
    assert isinstance(trainer.strategy, DDPStrategy) == ddp
