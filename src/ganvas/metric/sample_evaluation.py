"""Metrics of a recipe's samples against real ones, with the protocol that makes them comparable."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from ganvas.errors import OptionError, require
from ganvas.functional.distributed import sum_over_ranks
from ganvas.functional.memory import require_memory
from ganvas.functional.next_code import Drawing
from ganvas.functional.precision import home_of_float64
from ganvas.metric.evaluate import EvaluatedData, EvaluationResult, evaluating, is_mine, require_samples
from ganvas.metric.interface import FeatureExtractor, Observation, SampleMetric
from ganvas.metric.observe import observe_split
from ganvas.version import __version__


class Sampler(Protocol):
    """What is asked of a recipe that makes samples (``ganvas.model.interface.Samples`` in full)."""

    def sample(
        self,
        num: int,
        seed: int,
        *,
        ema: bool = True,
        start: int = 0,
        truncation: float | None = None,
        **options: Any,
    ) -> Tensor: ...


class SampleEvaluation:
    """Judges samples as often as it is called; the real side, which does not change, is seen once.

    Args:
        features: what the metrics see of samples.
        metrics: name -> metric; they are filled here.
        num_samples: samples to make; sample i is a function of (seed, i).
        seed: of the latents.
        batch_size: samples at a time, per rank.
        split: the real samples: ``train``, ``val`` or ``test``.
        limit: real samples at most; None takes the whole split.
        ema: take the averaged weights where the recipe has them.
        truncation: largest latent value; None does not cut.
        drawing: how a prior draws codes (``ganvas.functional.next_code.Drawing``); None: as it says itself.

    Raises:
        OptionError: an argument out of its range; more with :meth:`check`.
    """

    def __init__(
        self,
        *,
        features: FeatureExtractor,
        metrics: dict[str, SampleMetric],
        num_samples: int,
        seed: int,
        batch_size: int,
        split: str,
        limit: int | None = None,
        ema: bool = True,
        truncation: float | None = None,
        drawing: Drawing | None = None,
    ) -> None:
        require(
            bool(metrics), "metrics", "none", "there is nothing to compute; metric/samples=default gives FID"
        )
        require(num_samples >= 2, "num_samples", num_samples, "must be at least 2; 10000 is usual")
        require(batch_size >= 1, "batch_size", batch_size, "must be at least 1")
        require(truncation is None or truncation > 0, "truncation", truncation, "must be positive, or null")
        self.features, self.metrics = features, metrics
        self.num_samples, self.seed, self.batch_size = num_samples, seed, batch_size
        self.split, self.limit, self.ema, self.truncation = split, limit, ema, truncation
        self.drawing = drawing
        self._sizes: tuple[int, int | None] | None = None
        self._real_of: EvaluatedData | None = None

    @property
    def better(self) -> dict[str, str]:
        """Metric -> ``min`` or ``max``."""
        directions = {name: up for metric in self.metrics.values() for name, up in metric.directions.items()}
        return {name: "max" if up else "min" for name, up in directions.items() if up is not None}

    def check(self, data: EvaluatedData) -> None:
        """Finds whatever is wrong before the work begins; calls every metric's ``begin``.

        Raises:
            OptionError: ``split``, ``features``, ``num_samples`` or ``metrics.<name>``: too few samples, an
                extractor that does not fit the data or the metric, no labels.
        """
        if self._sizes is not None:
            return
        facts = data.facts()
        counts = {"generated": self.num_samples, "train": data.num_samples("train")}
        counts["real"] = min(data.num_samples(self.split), self.limit or 2**62)
        require_samples(data, self.split, counts["real"], 2)
        self.features.check(facts)
        seen = self.features(next(iter(data.batches("train", 1, 1))).x)
        num_features = seen.features.shape[1]
        num_logits = None if seen.logits is None else seen.logits.shape[1]
        for name, metric in self.metrics.items():
            if metric.needs_logits and num_logits is None:
                extractor = self.features.protocol.get("name")
                reason = f"is no classifier, and {name} needs one; metric/features=classifier is"
                raise OptionError("features", extractor, reason)
            if metric.needs_labels and facts.num_classes is None:
                raise OptionError(f"metrics.{name}", facts.name, "has no labels; leave the metric out")
            unseen = self.split != "train" or "train" not in metric.sides
            reason = f"must not be the training samples: {name} compares with unseen ones; take test or val"
            require(unseen, "split", self.split, reason)
            metric.check_counts(counts, num_features)
        for metric in self.metrics.values():
            metric.begin(num_features, num_logits)
        kept = sum(metric.row_bytes("generated") for metric in self.metrics.values())
        what = f"{self.num_samples:,} generated samples in {num_features:,} features"
        # Twice: the rows of all batches are joined in the end.
        require_memory("num_samples", self.num_samples, 2 * kept * self.num_samples, what)
        self._sizes = num_features, num_logits

    def check_module(self, module: nn.Module) -> None:
        """Raises OptionError where a metric needs classes that the recipe's samples do not have."""
        for name, metric in self.metrics.items():
            if metric.needs_labels and self._labels(module, 1, 0) is None:
                reason = "needs the classes of samples, and this generator is not conditional; leave it out"
                raise OptionError(f"metrics.{name}", type(module).__name__, reason)

    def __call__(self, module: nn.Module, data: EvaluatedData) -> EvaluationResult:
        """The metrics of the module as it is now; every rank calls it and gets the same."""
        self.check(data)
        self.check_module(module)
        with evaluating(module) as device:
            for metric in self.metrics.values():
                metric.to(home_of_float64(device))
            if self._real_of is not data:
                self._see_real(data, device)
            finite = self._see_generated(module, device)
            metrics = {name: float("nan") for metric in self.metrics.values() for name in metric.directions}
            if finite:
                for metric in self.metrics.values():
                    metrics |= {name: float(value) for name, value in metric.compute().items()}
        return EvaluationResult(metrics, self.protocol(module, data), self.better)

    def protocol(self, module: nn.Module, data: EvaluatedData) -> dict[str, object]:
        """What the metrics rest on, as nested plain values."""
        averaged = self.ema and getattr(module, "ema", None) is not None
        fitted = getattr(module, "statistics_samples", None) if averaged else None
        drawing = self.drawing or getattr(module, "drawing", None)
        return {
            "ganvas": __version__,
            "data": data.describe_split(self.split, self.limit),
            "generated_samples": self.num_samples,
            "seed": self.seed,
            "weights": "ema" if averaged else "raw",
            **({} if fitted is None else {"batch_norm_fitted_to": fitted}),
            "truncation": self.truncation,
            **({} if drawing is None else {"drawing": dataclasses.asdict(drawing)}),
            "features": dict(self.features.protocol),
            "metrics": {name: self._protocol_of(metric, data) for name, metric in self.metrics.items()},
        }

    def _protocol_of(self, metric: SampleMetric, data: EvaluatedData) -> dict[str, object]:
        """What the values of one metric rest on besides what all of them do."""
        train = {"train": data.describe_split("train")} if "train" in metric.sides else {}
        return metric.protocol | train | {"metrics": sorted(metric.directions)}

    def _see_real(self, data: EvaluatedData, device: torch.device) -> None:
        for side in ("real", "train"):
            metrics = [metric for metric in self.metrics.values() if side in metric.sides]
            if not metrics:
                continue
            for metric in metrics:
                metric.forget(side)
            split, limit = (self.split, self.limit) if side == "real" else ("train", None)
            for observation in observe_split(
                data, split, self.features, batch_size=self.batch_size, limit=limit, device=device
            ):
                for metric in metrics:
                    metric.update(observation, side=side)
        self._real_of = data

    def _see_generated(self, module: nn.Module, device: torch.device) -> bool:
        """Shows the metrics new samples; returns whether all of them, on all ranks, are finite."""
        sampler = cast("Sampler", module)
        broken = torch.zeros((), dtype=torch.int64, device=device)
        for metric in self.metrics.values():
            metric.forget("generated")
        options: dict[str, Any] = {} if self.drawing is None else {"drawing": self.drawing}
        for number, start in enumerate(range(0, self.num_samples, self.batch_size)):
            if not is_mine(number):
                continue
            count = min(self.batch_size, self.num_samples - start)
            x = sampler.sample(
                count, self.seed, ema=self.ema, start=start, truncation=self.truncation, **options
            )
            seen = self.features(x)
            broken += (~seen.features.isfinite()).any(1).sum()
            index = torch.arange(start, start + count, device=device)
            labels = self._labels(module, count, start)
            observation = Observation(index, seen.features, seen.logits, labels)
            for metric in self.metrics.values():
                metric.update(observation, side="generated")
        return int(sum_over_ranks(broken)) == 0

    def _labels(self, module: nn.Module, count: int, start: int) -> Tensor | None:
        asked = getattr(module, "sample_labels", None)
        return None if asked is None else asked(count, self.seed, start=start)
