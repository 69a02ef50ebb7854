"""What a resume from the last batch of an epoch, or of the whole training, needs besides the state."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl

from ganvas.callback.run_state import RunCallback
from ganvas.model.training.lightning_internals import begin_next_epoch


class ResumeAtEnd(RunCallback):
    """The first callback of every run.

    A resume from an epoch's last batch begins the next epoch like any other. A run that was killed after its
    last batch's checkpoint, before its end, has nothing left to train, and Lightning's ``fit`` leaves without
    a word: the other callbacks' beginning and end of training are made up for (evaluation, preview, ...).

    Args:
        is_unfinished: the run is resumed, and had not come to its end.
    """

    def __init__(self, *, is_unfinished: bool) -> None:
        self.is_unfinished = is_unfinished
        self._has_trained = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._has_trained = True
        begin_next_epoch(trainer)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if self.is_unfinished and not self._has_trained:
            # set by Lightning where a type checker does not see it
            others = [one for one in trainer.callbacks if one is not self]  # type: ignore[attr-defined]
            for hook in ("on_train_start", "on_train_end"):  # the last callback makes up for a validation
                for callback in others:
                    getattr(callback, hook)(trainer, pl_module)
