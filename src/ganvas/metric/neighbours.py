"""What metrics share that look at each sample's k-th nearest neighbour on its side."""

from __future__ import annotations

from typing import ClassVar

from ganvas.errors import require
from ganvas.metric.interface import SampleMetric


class NeighbourMetric(SampleMetric):
    """Balls around samples that reach to the k-th nearest neighbour on the same side.

    Args:
        k: which neighbour.

    Attributes:
        ball_sides: sides whose samples have such a ball, and so must have k others.

    Raises:
        OptionError: k below 1.
    """

    ball_sides: ClassVar[tuple[str, ...]] = ("real", "generated")

    def __init__(self, k: int) -> None:
        super().__init__()
        require(k >= 1, "k", k, "must be at least 1; 3 to 5 are usual")
        self.k = k

    @property
    def protocol(self) -> dict[str, object]:
        """The neighbour, and the distance; a sample is no neighbour of its own."""
        return {"k": self.k, "distance": "Euclidean", "dtype": "float64", "subsets": "none: all samples"}

    def check_counts(self, counts: dict[str, int], num_features: int) -> None:
        """A sample with a ball must have k neighbours."""
        del num_features
        option = type(self).__module__.rpartition(".")[2]  # file and option share their name
        for side in self.sides:
            need = self.k + 1 if side in self.ball_sides else 1
            reason = f"is too few {side} samples for {option} with k={self.k}; needs at least {need}"
            require(counts[side] >= need, "num_samples", counts[side], reason)
