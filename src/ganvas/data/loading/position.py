"""Where training stands, for a loader that goes on from there."""

from __future__ import annotations

from typing import Any


def position_of(trainer: Any) -> tuple[int, int]:
    """(epoch, batches already taken in it), by the recipe's own clock where it has one; None: the start.

    Lightning counts an epoch that the budget cut short as a whole one, so that a resumed run would skip the
    rest of it. After a rollback the epoch goes by another number: the same samples come in another order,
    augmented otherwise, so that the run does not meet the same batch again.
    """
    if trainer is None:
        return 0, 0
    batches_seen = getattr(trainer.lightning_module, "batches_seen", None)
    if batches_seen is None:
        return trainer.current_epoch, trainer.fit_loop.epoch_loop.batch_progress.current.ready
    epoch, first = divmod(batches_seen, int(trainer.num_training_batches))
    return epoch + getattr(trainer.lightning_module, "rollbacks", 0) * 2**32, first
