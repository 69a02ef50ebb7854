"""Figures of the recipe at the end of a run, and while it trains where asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from ganvas.callback.record import record
from ganvas.callback.rows import rows_of
from ganvas.callback.trouble import surviving
from ganvas.errors import require
from ganvas.metric.evaluate import evaluate_reconstruction, evaluate_samples, evaluating, real_statistics
from ganvas.metric.frechet import FrechetDistance
from ganvas.metric.interface import FeatureExtractor
from ganvas.model.interface import Reconstructs, Samples


class Evaluation(pl.Callback):
    """Sets the recipe's ``figures``, records them under ``evaluation/<name>``, and keeps their protocol.

    evaluations.jsonl in the run's folder gets a row ``{"images", "source": "run", "figures", "protocol"}``.
    A run that was stopped before its end is not evaluated; its continuation is.

    Args:
        run_dir: the run's folder.
        every_images: images between two evaluations; 0 evaluates at the end alone.
        num_samples: samples that are made for a distance.
        features: extractor of the distance's features, or None: then only reconstruction is evaluated.
        split: the real samples: ``train``, ``val`` or ``test``.
        batch_size: samples at a time, per rank.
        seed: of the latents.
    """

    def __init__(
        self,
        *,
        run_dir: str,
        every_images: int,
        num_samples: int,
        features: FeatureExtractor | None,
        split: str,
        batch_size: int,
        seed: int,
    ) -> None:
        require(every_images >= 0, "every_images", every_images, "must be 0 (only at the end) or more")
        require(num_samples >= 2, "num_samples", num_samples, "must be at least 2; 10000 is usual")
        require(split in ("train", "val", "test"), "split", split, "must be train, val or test")
        require(batch_size >= 1, "batch_size", batch_size, "must be at least 1")
        self.run_dir, self.every_images, self.num_samples = run_dir, every_images, num_samples
        self.features, self.split, self.batch_size, self.seed = features, split, batch_size, seed
        self._evaluated_at = -1
        self._figures: dict[str, float] = {}
        self._distance: FrechetDistance | None = None

    def check(self, data: Any) -> None:
        """Raises OptionError where the split holds too little for the figures; before the run begins."""
        held, needed = data.num_samples(self.split), 2 if self.features is not None else 1
        reason = f"holds {held} samples, and figures need {needed}; take split=train, or hold out more"
        require(held >= needed, "split", self.split, reason)

    def state_dict(self) -> dict[str, Any]:
        return {"evaluated_at": self._evaluated_at, "figures": self._figures}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._evaluated_at, self._figures = int(state_dict["evaluated_at"]), dict(state_dict["figures"])

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._started_at = int(pl_module.images_seen)
        if self._evaluated_at == self._started_at:  # a run that goes on right after an evaluation
            pl_module.figures = dict(self._figures)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        images, every = int(pl_module.images_seen), self.every_images
        if every and images // every > max(self._evaluated_at, self._started_at) // every:
            self.evaluate(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if finished(trainer, pl_module) and int(pl_module.images_seen) > self._evaluated_at:
            self.evaluate(trainer, pl_module)
        self._distance = None

    def evaluate(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Computes and records the figures of now; every rank calls it."""
        if trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        self._evaluated_at = int(pl_module.images_seen)
        module: pl.LightningModule = pl_module
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        batches = data.batches(self.split, self.batch_size)
        if isinstance(pl_module, Reconstructs):
            figures, protocol = evaluate_reconstruction(
                module, batches, split=self.split, features=self.features
            )
        elif isinstance(pl_module, Samples) and self.features is not None:
            if self._distance is None:  # the real side is the same throughout the run
                with evaluating(module) as device:
                    self._distance = real_statistics(batches, self.features, device=device)
            figures, protocol = evaluate_samples(
                module,
                (),
                self.features,
                num_samples=self.num_samples,
                seed=self.seed,
                batch_size=self.batch_size,
                split=self.split,
                distance=self._distance,
            )
        else:
            return
        pl_module.figures = self._figures = figures
        tagged = {f"evaluation/{name}": value for name, value in figures.items()}
        record(trainer, pl_module, self.run_dir, tagged)
        if trainer.is_global_zero:
            row = {"images": self._evaluated_at, "source": "run", "figures": figures, "protocol": protocol}
            path = Path(self.run_dir) / "evaluations.jsonl"
            with surviving(trainer, path.name):
                rows_of(trainer, path).append(json.loads(json.dumps(row)))


def finished(trainer: pl.Trainer, pl_module: Any) -> bool:
    """Whether training ended by a budget or by its own decision, not by a signal (see ``Lifeline``)."""
    max_images = getattr(trainer, "max_images", None)
    return bool(
        (max_images and int(pl_module.images_seen) >= max_images)
        or 0 < trainer.max_steps <= trainer.global_step
        or not (trainer.interrupted or getattr(trainer, "stopped_by_signal", False))
    )
