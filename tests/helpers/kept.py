"""A short training of a recipe on digits, and what it was shown and said of it."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from torch import Tensor

from ganvas.data.digits import Digits
from ganvas.model.training.recipe import Recipe


class Keep(pl.Callback):
    """Every batch's samples as the recipe got them, and its reports."""

    def __init__(self) -> None:
        self.batches: list[Tensor] = []
        self.reports: list[dict[str, Tensor]] = []

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.batches.append(batch.x.clone())
        self.reports.append(dict(pl_module.report))


def digits() -> Digits:
    return Digits(batch_size=16, num_workers=0, seed=3, channels=1, image_size=8, num_classes=10)


def fit(model: Recipe, batches: int, **options: Any) -> tuple[pl.Trainer, Keep]:
    """Trains it for so many batches of 16, without validation; ``options`` are the Trainer's."""
    keep = Keep()
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=batches,
        logger=False,
        enable_checkpointing=False,
        limit_val_batches=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[keep],
        **options,
    )
    trainer.fit(model, datamodule=digits())
    return trainer, keep
