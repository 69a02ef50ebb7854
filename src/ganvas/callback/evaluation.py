"""Metrics of the recipe at the end of a run, and while it trains where asked."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from ganvas.callback.record import record
from ganvas.callback.run_state import PeriodicCallback, datamodule_of, is_fast_dev_run
from ganvas.callback.writing.rows import is_evaluation
from ganvas.errors import OptionError, require
from ganvas.functional.checked_values import table
from ganvas.functional.sharding import unsharded
from ganvas.metric.evaluate import EvaluationResult, joined
from ganvas.metric.interface import FeatureExtractor, SampleMetric
from ganvas.metric.likelihood_evaluation import LikelihoodEvaluation
from ganvas.metric.perceptual.interface import PerceptualDistance
from ganvas.metric.reconstruction_evaluation import ReconstructionEvaluation
from ganvas.metric.sample_evaluation import SampleEvaluation
from ganvas.model.interface import DrawsCodes, Reconstructs, Samples


class Evaluation(PeriodicCallback):
    """Sets the recipe's ``metrics``, records them under ``evaluation/<name>``, and keeps their protocol.

    evaluations.jsonl in the run's folder gets a row ``{"examples", "source": "run", "metrics", "protocol",
    "better"}``. A run that was stopped before its end is not evaluated; its continuation is. Samples are made
    by the averaged weights where the recipe has them.

    Args:
        run_dir: the run's folder.
        every_examples: examples between two evaluations; 0 evaluates at the end alone.
        num_samples: samples that are made for the metrics.
        features: extractor of the features that they see, or None: then only reconstruction is evaluated.
        metrics: name -> metric of samples; None switches one off.
        perceptual: distance of reconstructions to originals, or None.
        split: the real samples: ``train``, ``val`` or ``test``.
        batch_size: samples at a time, per rank.
        seed: of the latents.
    """

    moment = "evaluated_at"

    def __init__(
        self,
        *,
        run_dir: str,
        every_examples: int,
        num_samples: int,
        features: FeatureExtractor | None,
        metrics: dict[str, SampleMetric | None] | None,
        perceptual: PerceptualDistance | None,
        split: str,
        batch_size: int,
        seed: int,
    ) -> None:
        super().__init__(every_examples, zero="only at the end")
        require(split in ("train", "val", "test"), "split", split, "must be train, val or test")
        self.run_dir = run_dir
        self.reconstruction = ReconstructionEvaluation(
            features=features, perceptual=perceptual, batch_size=batch_size, split=split
        )
        self.likelihood = LikelihoodEvaluation(batch_size=batch_size, split=split)
        chosen = {name: metric for name, metric in (metrics or {}).items() if metric is not None}
        require(num_samples >= 2, "num_samples", num_samples, "must be at least 2; 10000 is usual")
        self.samples: SampleEvaluation | None = None
        if features is not None and chosen:
            self.samples = SampleEvaluation(
                features=features,
                metrics=chosen,
                num_samples=num_samples,
                seed=seed,
                batch_size=batch_size,
                split=split,
            )
        self._metrics: dict[str, float] = {}

    def check(self, data: Any, model: Any) -> None:
        """Raises OptionError where the metrics cannot be had of these data; before the run begins."""
        if isinstance(model, Reconstructs):
            self.reconstruction.check(data)
        if isinstance(model, DrawsCodes):
            self.likelihood.check(data)
        if isinstance(model, Samples) and self.samples is not None and not data.modality.is_discrete:
            self.samples.check(data)
            self.samples.check_module(model)  # type: ignore[arg-type]  # a module too

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"metrics": self._metrics}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        values = table(state_dict, "metrics")
        for name, value in values.items():  # one that could not be had is NaN
            if type(value) not in (int, float):
                raise ValueError(f"metrics.{name} is no number")
        self._metrics = values

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        super().on_train_start(trainer, pl_module)
        if self.acted_at == int(pl_module.examples_seen):  # a run that goes on right after an evaluation
            pl_module.metrics = dict(self._metrics)

    def act(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Computes and records the metrics of now; every rank calls it."""
        if is_fast_dev_run(trainer):
            return
        try:
            with unsharded(pl_module):  # a rank may have more batches than another
                evaluation_result = self._evaluate(pl_module, datamodule_of(trainer))
        except OptionError as error:  # what only the samples tell; a trained run is not lost to it
            self.state.write_errors.failed("the metrics", error)
            return
        if evaluation_result is None:
            return
        metrics, protocol, better = evaluation_result
        pl_module.metrics = self._metrics = metrics
        tagged = {f"evaluation/{name}": value for name, value in metrics.items()}
        record(trainer, pl_module, self.run_dir, tagged, self.state, once=not self.every_examples)
        if trainer.is_global_zero:
            row = {
                "examples": self.acted_at,
                "source": "run",
                "protocol": protocol,
                "better": better,
                "metrics": {name: value if math.isfinite(value) else None for name, value in metrics.items()},
            }
            self.state.append_row(Path(self.run_dir) / "evaluations.jsonl", json.loads(json.dumps(row)))

    def _evaluate(self, pl_module: Any, data: Any) -> EvaluationResult | None:
        if isinstance(pl_module, Reconstructs):
            return self.reconstruction(pl_module, data)  # type: ignore[arg-type]  # a module too
        samples = likelihood = None
        if isinstance(pl_module, DrawsCodes):
            likelihood = self.likelihood(pl_module, data)  # type: ignore[arg-type]  # a module too
        if isinstance(pl_module, Samples) and self.samples is not None and not data.modality.is_discrete:
            samples = self.samples(pl_module, data)  # type: ignore[arg-type]  # a module too
        return joined(likelihood, samples)


def best_metrics(rows: Iterable[Any]) -> dict[str, dict[str, float | int]]:
    """The best value of each metric over a run's own evaluations, and where it was.

    Args:
        rows: those of evaluations.jsonl; whatever is no such row is passed over.

    Returns:
        Metric -> ``{"value": ..., "examples": ...}``; the earliest where several are equal.
    """
    best: dict[str, dict[str, float | int]] = {}
    for row in rows:
        if not is_evaluation(row) or row.get("source") != "run":
            continue
        for name, way in (row.get("better") or {}).items():
            value = row["metrics"].get(name)
            if value is None or not math.isfinite(value):
                continue
            sign = 1 if way == "min" else -1
            if name not in best or sign * value < sign * best[name]["value"]:
                best[name] = {"value": value, "examples": row["examples"]}
    return best
