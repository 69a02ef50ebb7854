"""Density and coverage (Naeem 2020, arXiv:2002.09797, eq. 4 and 5)."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.errors import require
from ganvas.functional.neighbours import squared_distances, squared_radii
from ganvas.metric.interface import Observation, SampleMetric


class DensityCoverage(SampleMetric):
    """How often generated samples lie near real ones, and how many real ones have some near; exact, float64.

    Near a real sample is the open ball that reaches to its k-th nearest real neighbour (open, as in the
    authors' code: a copy of the real set has then a density of exactly 1). An outlier among generated
    samples, unlike in recall, changes nothing.

    Args:
        k: which neighbour; 5 in the paper.

    Raises:
        OptionError: k below 1.
    """

    directions = {"density": True, "coverage": True}

    def __init__(self, k: int = 5) -> None:
        super().__init__()
        require(k >= 1, "k", k, "must be at least 1; 5 is usual")
        self.k = k

    @property
    def protocol(self) -> dict[str, object]:
        """The neighbour."""
        return {"k": self.k}

    def begin(self, num_features: int, num_logits: int | None) -> None:
        del num_logits
        for side in self.sides:
            self.keep_rows(f"{side}_features", num_features)

    def check_counts(self, counts: dict[str, int], num_features: int) -> None:
        """A real sample must have k real neighbours."""
        del num_features
        for side, need in (("real", self.k + 1), ("generated", 1)):
            reason = f"is too few {side} samples for density_coverage with k={self.k}; needs at least {need}"
            require(counts[side] >= need, "num_samples", counts[side], reason)

    def update(self, seen: Observation, *, side: str) -> None:
        """Adds a batch of one side."""
        self.add_rows(f"{side}_features", seen.number, seen.features)

    def compute(self) -> dict[str, Tensor]:
        """``density``, at least 0 and 1 for equal sets; ``coverage`` in [0, 1]."""
        real, generated = self.rows("real_features"), self.rows("generated_features")
        radii = squared_radii(real, self.k)
        hits = torch.zeros((), dtype=torch.int64, device=real.device)
        covered = torch.zeros_like(hits)
        for part, distances in squared_distances(real, generated):  # [n, M]
            near = (distances < radii[part, None]).sum(1)  # [n]
            hits += near.sum()
            covered += (near > 0).sum()
        return {
            "density": hits.double() / (self.k * len(generated)),
            "coverage": covered.double() / len(real),
        }
