"""The validation that a stopped run leaves to the resumed one."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl

from ganvas.callback.run_state import RunCallback
from ganvas.model.training.lightning_internals import run_validation, validation_is_due

_KEY = "ganvas_validation_left_out"  # in a checkpoint: whether a validation was due after its batch


class DeferredValidation(RunCallback):
    """The last callback of every run: once all are ready, a resumed run makes the validation left to it.

    So a run that was stopped and resumed logs the same validations as one that was not.
    """

    def __init__(self) -> None:
        self._is_left_out = False

    def leave_out(self, trainer: pl.Trainer) -> None:
        """Lets a run stop without the validation that is due after this batch, if any.

        Called within ``on_train_batch_end``. Asked as if training went on: ``trainer.should_stop`` brings a
        validation of its own, which is not of the run's plan; whoever stops the run sets it afterwards.
        """
        trainer.should_stop = False
        self._is_left_out = validation_is_due(trainer)
        trainer.limit_val_batches = 0

    def on_save_checkpoint(self, trainer: pl.Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        checkpoint[_KEY] = self._is_left_out

    def on_load_checkpoint(self, trainer: pl.Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        self._is_left_out = bool(checkpoint.get(_KEY, False))

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if self._is_left_out:
            self._is_left_out = False
            run_validation(trainer)
