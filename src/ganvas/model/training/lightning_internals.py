"""What ganvas needs of Lightning and Lightning does not offer publicly, with the reason at each."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl

_BETWEEN = ("on_before_zero_grad", "on_before_backward", "on_after_backward", "on_before_optimizer_step")


def count_batch(trainer: pl.Trainer) -> None:
    """Makes ``trainer.global_step`` the number of batches.

    Under manual optimization Lightning counts every step of every optimizer that it has wrapped (#17958), so
    that a GAN's budget would end at half its batches. The steps are made past its wrappers, and counted here.
    """
    progress = trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
    progress.increment_ready()
    progress.increment_completed()


def listeners(trainer: pl.Trainer) -> dict[str, list[pl.Callback]]:
    """Hook -> the callbacks that have one of those which Lightning calls around its wrapped optimizers."""
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
    found = {
        hook: [one for one in callbacks if getattr(type(one), hook) is not getattr(pl.Callback, hook)]
        for hook in _BETWEEN
    }
    return {hook: those for hook, those in found.items() if those}
