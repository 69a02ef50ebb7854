"""Improved precision and recall (Kynkaanniemi 2019, arXiv:1904.06991, eq. 1 and 2)."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.errors import require
from ganvas.functional.neighbours import squared_distances, squared_radii
from ganvas.metric.interface import Observation, SampleMetric


class PrecisionRecall(SampleMetric):
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
        super().__init__()
        require(k >= 1, "k", k, "must be at least 1; 3 is usual")
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
        """A sample must have k neighbours on its side."""
        del num_features
        for side in self.sides:
            need = self.k + 1
            reason = f"is too few {side} samples for precision_recall with k={self.k}; needs at least {need}"
            require(counts[side] >= need, "num_samples", counts[side], reason)

    def update(self, seen: Observation, *, side: str) -> None:
        """Adds a batch of one side."""
        self.add_rows(f"{side}_features", seen.number, seen.features)

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
