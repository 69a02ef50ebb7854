"""Checkpoints by images seen; the newest few are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from ganvas.errors import require


class Checkpoint(pl.Callback):
    """Writes checkpoints/<images>.ckpt every ``every_images`` and at the end, and prunes old ones.

    Lightning's ModelCheckpoint counts optimizer steps and saves nothing by time under manual
    optimization (#21699); this one counts images.

    Args:
        run_dir: the run's folder.
        every_images: images between two checkpoints; 0 writes one at the end alone.
        keep_last: how many are kept, at least 1.
    """

    def __init__(self, *, run_dir: str, every_images: int, keep_last: int) -> None:
        require(every_images >= 0, "every_images", every_images, "must be 0 (only at the end) or more")
        require(keep_last >= 1, "keep_last", keep_last, "must be at least 1")
        self.folder = Path(run_dir) / "checkpoints"
        self.every_images, self.keep_last = every_images, keep_last
        self._saved_at = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._saved_at = pl_module.images_seen

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        images, every = pl_module.images_seen, self.every_images
        # The last batch's state is saved here, before Lightning counts the cut epoch as a whole one.
        last = trainer.should_stop or 0 < trainer.max_steps <= trainer.global_step
        if last or (every and images // every > self._saved_at // every):
            self.save(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if pl_module.images_seen > self._saved_at:
            self.save(trainer, pl_module)

    def save(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Writes the state of now; every rank calls it, the first one writes."""
        if trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        self._saved_at = pl_module.images_seen
        trainer.save_checkpoint(self.folder / f"{pl_module.images_seen:012d}.ckpt")
        if trainer.is_global_zero:
            for path in sorted(self.folder.glob("*.ckpt"))[: -self.keep_last]:
                trainer.strategy.checkpoint_io.remove_checkpoint(path)
