"""How far apart generated samples are, against how far apart real ones are."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.errors import require
from ganvas.metric.interface import Observation, SampleMetric


class Diversity(SampleMetric):
    """Mean squared distance of two generated samples over that of two real ones, from running sums.

    The mean of ``|x - y|^2`` over all pairs of different samples is twice the trace of the unbiased
    covariance. It says nothing of where samples lie: only a value far below 1 is a finding.
    """

    directions = {"diversity": None}

    @property
    def protocol(self) -> dict[str, object]:
        """The distance."""
        return {"distance": "squared Euclidean, all pairs", "ddof": 1, "dtype": "float64"}

    def begin(self, num_features: int, num_logits: int | None) -> None:
        del num_logits
        for side in self.sides:
            self.keep_sum(f"{side}_count", dtype=torch.int64)
            self.keep_sum(f"{side}_sum", num_features)
            self.keep_sum(f"{side}_squares", num_features)

    def update(self, seen: Observation, *, side: str) -> None:
        """Adds a batch of one side."""
        features = seen.features.to(self.device).double()  # [B, F]
        self.add_sum(f"{side}_count", len(features))
        self.add_sum(f"{side}_sum", features.sum(0))
        self.add_sum(f"{side}_squares", features.square().sum(0))

    def compute(self) -> dict[str, Tensor]:
        """``diversity``: 1 where generated samples are as far apart as real ones, 0 where all are one."""
        real, generated = (self._variance(side) for side in ("real", "generated"))
        reason = "holds real samples that all have the same features; choose another split or other features"
        require(bool(real > 0), "split", "", reason)
        return {"diversity": generated / real}

    def _variance(self, side: str) -> Tensor:
        """The trace of the unbiased covariance."""
        count, total, squares = (getattr(self, f"{side}_{name}") for name in ("count", "sum", "squares"))
        variance: Tensor = ((squares - total.square() / count).clamp(min=0) / (count - 1)).sum()
        return variance
