"""The Frechet distance of generated to real features (Heusel 2017, arXiv:1706.08500, eq. 6)."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.functional.frechet import frechet_distance
from ganvas.functional.memory import require_memory
from ganvas.functional.moments import mean_and_covariance
from ganvas.metric.interface import Observation, SampleMetric

# Of whole sets: what a Frechet distance's moments rest on.
MOMENTS: dict[str, object] = {"ddof": 1, "dtype": "float64", "moments": "of all samples at once"}

_MATRICES = 13  # of F x F in float64 that are held at most: 6.9 GB for 8,192 features


class FID(SampleMetric):
    """Mean and covariance of both sides from running sums in float64; no sample is kept.

    The covariance is unbiased (divided by n - 1). The distance itself is biased upward by few samples.
    """

    directions = {"fid": False}

    def __init__(self) -> None:
        super().__init__()
        self._rank_deficient: bool | None = None

    @property
    def protocol(self) -> dict[str, object]:
        """``rank_deficient``, known after ``compute``: n samples span at most n - 1 dimensions."""
        facts: dict[str, object] = {"distance": "Frechet", **MOMENTS}
        if self._rank_deficient is not None:
            facts["rank_deficient"] = self._rank_deficient
        return facts

    def begin(self, num_features: int, num_logits: int | None) -> None:
        """Raises OptionError (``features``) where matrices of so many features do not fit into the memory."""
        del num_logits
        what = f"covariances of {num_features:,} features"
        require_memory("features", f"{num_features:,} numbers", _MATRICES * 8 * num_features**2, what)
        for side in self.sides:
            self.keep_sum(f"{side}_count", dtype=torch.int64)
            self.keep_sum(f"{side}_sum", num_features)
            self.keep_sum(f"{side}_outer", num_features, num_features)

    def update(self, seen: Observation, *, side: str) -> None:
        """Adds a batch of one side."""
        features = seen.features.to(self.device).double()  # [B, F]
        self.add_sum(f"{side}_count", len(features))
        self.add_sum(f"{side}_sum", features.sum(0))
        self.add_sum(f"{side}_outer", features.T @ features)

    def compute(self) -> dict[str, Tensor]:
        """``fid``: at least 0; 0 for equal means and covariances."""
        (mean_1, covariance_1), (mean_2, covariance_2) = (self._moments(side) for side in self.sides)
        fewest = min(int(getattr(self, f"{side}_count")) for side in self.sides)
        self._rank_deficient = fewest <= len(mean_1)
        distance = frechet_distance(
            mean_1=mean_1, covariance_1=covariance_1, mean_2=mean_2, covariance_2=covariance_2
        )
        return {"fid": distance}

    def _moments(self, side: str) -> tuple[Tensor, Tensor]:
        count, total, outer = (getattr(self, f"{side}_{name}") for name in ("count", "sum", "outer"))
        return mean_and_covariance(count=count, total=total, outer=outer)
