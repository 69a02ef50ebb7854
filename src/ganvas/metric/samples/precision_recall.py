"""Improved precision and recall (Kynkaanniemi 2019, arXiv:1904.06991, eq. 1 and 2)."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.functional.neighbours import squared_distances, squared_radii
from ganvas.metric.neighbours import NeighbourMetric


class PrecisionRecall(NeighbourMetric):
    """How many samples of each side lie in the other side's manifold; exact, in float64.

    A side's manifold is the union of the closed balls around its samples that reach to their k-th nearest
    neighbour on the same side. Both metrics depend on the numbers of samples.

    Args:
        k: which neighbour; 3 in the paper.

    Raises:
        OptionError: k below 1.
    """

    directions = {"precision": True, "recall": True}

    def __init__(self, k: int = 3) -> None:
        super().__init__(k)

    @property
    def protocol(self) -> dict[str, object]:
        return super().protocol | {"balls": "closed"}

    def compute(self) -> dict[str, Tensor]:
        """``precision``: share of generated samples in the real manifold; ``recall``: the other way round."""
        real, generated = self.rows("real_features"), self.rows("generated_features")
        radii_real, radii_generated = squared_radii(real, self.k), squared_radii(generated, self.k)
        precise = torch.zeros(len(generated), dtype=torch.bool, device=generated.device)
        recalled = torch.zeros(len(real), dtype=torch.bool, device=real.device)
        for part, distances in squared_distances(real, generated):  # [n, M]
            precise |= (distances <= radii_real[part, None]).any(0)
            recalled[part] = (distances <= radii_generated).any(1)
        return {"precision": precise.double().mean(), "recall": recalled.double().mean()}
