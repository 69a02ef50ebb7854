from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from ganvas.errors import OptionError
from ganvas.run.config.limits import check_epoch, check_machine
from ganvas.run.trainer import AcceleratorOptions, TrainerOptions

CONF = Path(__file__).parents[3] / "conf"


def machine(**changes: Any) -> AcceleratorOptions:
    values = yaml.safe_load((CONF / "accelerator" / "auto.yaml").read_text())
    return AcceleratorOptions(**values | {"accelerator": "cpu"} | changes)


def options(**changes: Any) -> TrainerOptions:
    return TrainerOptions(**yaml.safe_load((CONF / "trainer" / "default.yaml").read_text()) | changes)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cores, and no group of processes."""
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: False)


def test_float16_needs_a_gpu_and_bfloat16_one_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    check_machine(machine(precision="bf16-mixed"))
    with pytest.raises(OptionError, match=r"^accelerator.precision=16-mixed: needs a GPU"):
        check_machine(machine(precision="16-mixed"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    check_machine(machine(accelerator="gpu", precision="16-mixed"))
    for able in (True, False):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation, able=able: able)
        if able:
            check_machine(machine(accelerator="gpu", precision="bf16-mixed"))
    with pytest.raises(OptionError, match=r"^accelerator.precision=bf16-mixed: .*there are: 32-true, 16"):
        check_machine(machine(accelerator="gpu", precision="bf16-mixed"))


def test_a_backend_that_the_device_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.distributed, "is_nccl_available", lambda: True)
    check_machine(machine(process_group_backend="gloo"))
    for name in ("nccl", "foo"):
        with pytest.raises(OptionError, match=f"process_group_backend={name}: .*there are: null, gloo"):
            check_machine(machine(process_group_backend=name))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    check_machine(machine(accelerator="gpu", process_group_backend="nccl"))


@pytest.mark.parametrize(
    ("name", "least"),
    [("limit_train_batches", 1 / 8), ("limit_val_batches", 1 / 4), ("overfit_batches", 1 / 8)],
)
def test_a_share_is_a_batch_at_least(name: str, least: float) -> None:
    check_epoch(options(**{name: least}), train_batches=8, val_batches=4)
    check_epoch(options(**{name: 1}), train_batches=8, val_batches=4)
    with pytest.raises(OptionError, match=rf"^trainer\.{name}=.*take 1 .* at least {least:g}$"):
        check_epoch(options(**{name: least * 0.99}), train_batches=8, val_batches=4)


def test_nothing_to_validate_needs_no_share() -> None:
    check_epoch(options(limit_val_batches=0.01), train_batches=8, val_batches=0)
    check_epoch(options(limit_val_batches=0.0), train_batches=8, val_batches=4)
