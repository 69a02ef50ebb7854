"""What becomes of a finished classifier: its accuracy is measured, and its weights are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from ganvas.callback.record import record
from ganvas.callback.run_state import RunCallback, datamodule_of, finished, is_fast_dev_run
from ganvas.errors import require
from ganvas.functional.distributed import sum_over_ranks
from ganvas.metric.classifiers import place_in_cache, read_classifier, write_classifier
from ganvas.metric.evaluate import evaluating, is_mine
from ganvas.model.interface import Classifies
from ganvas.version import __version__


class KeepClassifier(RunCallback):
    """Sets ``metrics`` to the accuracy and writes the weights, into the run's folder and into the cache.

    ``metric/features=classifier`` reads the cache. Where a more accurate one of the same data and network
    lies there it stays, so that a short trial run does not take its place; one that was trained on a share of
    the data (``data.train_fraction``) is written into the run's folder alone.

    Args:
        run_dir: the run's folder; ``classifier/weights.safetensors`` in it.
        split: on which the accuracy is measured: ``train``, ``val`` or ``test``.
        batch_size: samples at a time, per rank.
    """

    def __init__(self, *, run_dir: str, split: str, batch_size: int) -> None:
        require(split in ("train", "val", "test"), "split", split, "must be train, val or test")
        require(batch_size >= 1, "batch_size", batch_size, "must be at least 1")
        self.run_dir, self.split, self.batch_size = run_dir, split, batch_size

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if not finished(trainer, pl_module, self.state) or is_fast_dev_run(trainer):
            return
        if not isinstance(pl_module, Classifies):
            return
        module: Any = pl_module
        data: Any = datamodule_of(trainer)
        accuracy = self._accuracy(module, data)
        if accuracy is not None:
            module.metrics = {"accuracy": accuracy}
            record(trainer, module, self.run_dir, {"evaluation/accuracy": accuracy}, self.state)
        if trainer.is_global_zero:
            with self.state.tolerate_write_errors("the classifier"):
                self._write(module, data, accuracy)

    def _accuracy(self, module: Any, data: Any) -> float | None:
        """Share of the split that is told rightly; None where the split is empty."""
        with evaluating(module) as device:
            counts = torch.zeros(2, dtype=torch.int64, device=device)
            for number, batch in enumerate(data.batches(self.split, self.batch_size)):
                if is_mine(number):
                    told = module.classify(batch.x.to(device)).logits.argmax(1)
                    right = (told == batch.label.to(device)).sum()
                    counts += torch.stack([right, torch.full_like(right, len(told))])
            right, count = sum_over_ranks(counts).tolist()
        return right / count if count else None

    def _write(self, module: Any, data: Any, accuracy: float | None) -> None:
        facts = data.facts()
        about = {
            "accuracy": accuracy,
            "split": self.split,
            "examples_seen": module.examples_seen,
            "train_samples": data.num_samples("train"),
            "seed": module.seed,
            "data": facts.name,
            "train_sha256": facts.train_sha256,
            "sample_shape": facts.sample_shape,
            "num_classes": facts.num_classes,
            "network": repr(module.network),
            "ganvas": __version__,
        }
        write_classifier(Path(self.run_dir) / "classifier" / "weights.safetensors", module.network, about)
        if facts.train_fraction < 1:
            return
        place = place_in_cache(module.network, facts)
        if not _is_better(place, about):
            write_classifier(place, module.network, about)


def _is_better(place: Path, about: dict[str, Any]) -> bool:
    """Whether what lies there was at least as accurate on the same split."""
    try:
        there = read_classifier(place).about
    except (OSError, ValueError):
        return False
    mine, other = about["accuracy"], there.get("accuracy")
    if not (isinstance(mine, float) and isinstance(other, float)):
        return False
    return there.get("split") == about["split"] and mine <= other <= 1
