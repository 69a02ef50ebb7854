"""Frechet distance of two streams of feature vectors; with an ImageNet network's features, an FID."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

from ganvas.errors import require
from ganvas.functional.frechet import frechet_distance


class FrechetDistance(Metric):
    """Mean and covariance of both sides from running sums in float64; nothing else is kept.

    Args:
        num_features: F, the length of a feature vector.

    Raises:
        OptionError: F below 1; at ``compute``, fewer than two samples on a side.
    """

    higher_is_better = False
    is_differentiable = False
    full_state_update = False

    real_count: Tensor
    real_sum: Tensor
    generated_count: Tensor

    def __init__(self, num_features: int) -> None:
        super().__init__()
        require(num_features > 0, "num_features", num_features, "must be at least 1")
        self.num_features = num_features
        for side in ("real", "generated"):
            for name, zeros in _empty(num_features).items():
                self.add_state(f"{side}_{name}", zeros, dist_reduce_fx="sum")

    def update(self, features: Tensor, *, real: bool) -> None:
        """Adds features float [B, F] to the real or to the generated side."""
        side = "real" if real else "generated"
        features = features.to(self.real_sum.device).double()
        setattr(self, f"{side}_count", getattr(self, f"{side}_count") + len(features))
        setattr(self, f"{side}_sum", getattr(self, f"{side}_sum") + features.sum(0))
        setattr(self, f"{side}_outer", getattr(self, f"{side}_outer") + features.T @ features)

    def compute(self) -> Tensor:
        """The distance, scalar float64."""
        mean_1, covariance_1 = self._moments("real")
        mean_2, covariance_2 = self._moments("generated")
        return frechet_distance(
            mean_1=mean_1, covariance_1=covariance_1, mean_2=mean_2, covariance_2=covariance_2
        )

    def forget_generated(self) -> None:
        """Empties the generated side; the real side, which does not change in a run, is kept."""
        for name, zeros in _empty(self.num_features).items():
            setattr(self, f"generated_{name}", zeros.to(getattr(self, f"generated_{name}").device))
        self._computed = None

    def protocol(self, *, real_samples: int, generated_samples: int) -> dict[str, object]:
        """What a figure from so many samples in all rests on; ranks count together."""
        return {
            "distance": "Frechet, unbiased covariance, float64",
            "num_features": self.num_features,
            # At most n - 1 dimensions are spanned by n samples: with fewer, the figure is biased upward.
            "rank_deficient": min(real_samples, generated_samples) <= self.num_features,
        }

    def _moments(self, side: str) -> tuple[Tensor, Tensor]:
        """Mean [F] and unbiased covariance [F, F]."""
        count = getattr(self, f"{side}_count")
        require(
            int(count) >= 2,
            "num_samples",
            int(count),
            f"a covariance needs at least 2 {side} samples; more than {self.num_features} for full rank",
        )
        mean = getattr(self, f"{side}_sum") / count
        covariance = (getattr(self, f"{side}_outer") - count * torch.outer(mean, mean)) / (count - 1)
        return mean, covariance


def _empty(num_features: int) -> dict[str, Tensor]:
    return {
        "count": torch.zeros((), dtype=torch.int64),
        "sum": torch.zeros(num_features, dtype=torch.float64),
        "outer": torch.zeros(num_features, num_features, dtype=torch.float64),
    }
