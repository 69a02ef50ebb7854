"""Density and coverage (Naeem 2020, arXiv:2002.09797, eq. 4 and 5)."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.functional.neighbours import squared_distances, squared_radii
from ganvas.metric.neighbours import NeighbourMetric


class DensityCoverage(NeighbourMetric):
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
    ball_sides = ("real",)

    def __init__(self, k: int = 5) -> None:
        super().__init__(k)

    @property
    def protocol(self) -> dict[str, object]:
        return super().protocol | {"balls": "open"}

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
