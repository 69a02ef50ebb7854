"""What is taken from Lightning's inside does what it says, in this version of Lightning."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from ganvas.model.training.lightning_internals import (
    begin_next_epoch,
    install_no_signal_handlers,
    run_validation,
    validation_is_due,
)


class Line(pl.LightningModule):
    """One weight; five batches an epoch, two of validation."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        return self.layer(batch).square().mean()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        assert not self.training

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(torch.rand(10, 1), batch_size=2)  # type: ignore[arg-type]

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(torch.rand(4, 1), batch_size=2)  # type: ignore[arg-type]


def trainer(*callbacks: pl.Callback, **options: Any) -> pl.Trainer:
    usual: dict[str, Any] = {
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
    }
    return pl.Trainer(callbacks=list(callbacks), **usual | options)


class Events(pl.Callback):
    """``epoch`` and ``validation`` as they come, and each batch's number (counted over epochs)."""

    def __init__(self) -> None:
        self.seen: list[str | int] = []

    def on_train_epoch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        self.seen.append("epoch")

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self.seen.append(trainer.global_step)

    def on_validation_start(self, trainer: pl.Trainer, *_: Any) -> None:
        self.seen.append("validation")


def test_fit_installs_no_signal_handlers() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)}
    during = {}

    class Look(pl.Callback):
        def on_train_batch_end(self, *_: Any) -> None:
            during.update({number: signal.getsignal(number) for number in before})

    one = trainer(Look(), max_steps=1)
    install_no_signal_handlers(one)
    one.fit(Line())
    assert during == before


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"val_check_interval": 2},
        {"val_check_interval": 3, "check_val_every_n_epoch": None},
        {"check_val_every_n_epoch": 2},
        {"limit_val_batches": 0},
    ],
)
def test_validation_is_due_says_what_comes_after_the_batch(options: dict[str, Any]) -> None:
    said = []

    class Ask(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
            if validation_is_due(trainer):
                said.append(trainer.global_step)

    events = Events()
    trainer(Ask(), events, max_epochs=3, **options).fit(Line())
    came = [
        number for number, after in zip(events.seen, events.seen[1:], strict=False) if after == "validation"
    ]
    if events.seen[-1] != "validation":
        assert events.seen[-1] not in said
    assert came == said


def test_a_validation_in_the_midst_of_fit_leaves_training_as_it_was() -> None:
    class Validate(pl.Callback):
        def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
            run_validation(trainer)
            assert trainer.training
            assert pl_module.training

    events = Events()
    trainer(events, Validate(), max_epochs=1).fit(Line())
    assert events.seen == ["validation", "epoch", 1, 2, 3, 4, 5, "validation"]


@pytest.mark.parametrize(
    ("saved_after", "rest"), [(5, ["epoch", 6, 7]), (3, [4, 5, "validation", "epoch", 6, 7])]
)
def test_after_an_epochs_last_batch_the_next_epoch_begins(
    saved_after: int, rest: list[str | int], tmp_path: Path
) -> None:
    path = tmp_path / "x.ckpt"

    class Save(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
            if trainer.global_step == saved_after:
                trainer.save_checkpoint(path)

    class Begin(pl.Callback):
        def on_train_start(self, trainer: pl.Trainer, *_: Any) -> None:
            begin_next_epoch(trainer)

    trainer(Save(), max_steps=saved_after).fit(Line())
    events = Events()
    resumed = trainer(events, Begin(), max_steps=7, max_epochs=-1)
    resumed.fit(Line(), ckpt_path=str(path), weights_only=True)
    assert events.seen[: len(rest)] == rest
    assert resumed.current_epoch == 2  # the second was cut short, and is counted as Lightning counts it
