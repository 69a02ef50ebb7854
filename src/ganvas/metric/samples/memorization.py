"""Whether samples are copies of training samples: distances to the nearest of them."""

from __future__ import annotations

from torch import Tensor

from ganvas.errors import require
from ganvas.functional.neighbours import nearest_distances
from ganvas.metric.interface import SampleMetric


class Memorization(SampleMetric):
    """How near generated samples are to their nearest training samples, against real ones that were held out.

    Args:
        quantile: of the held-out samples' distances, below which a generated sample is suspected, in (0, 1).

    Raises:
        OptionError: a quantile outside (0, 1).
    """

    directions = {"memorization_median": None, "memorization_mean": None, "memorization_share": False}
    sides = ("real", "generated", "train")

    def __init__(self, quantile: float = 0.01) -> None:
        super().__init__()
        require(0 < quantile < 1, "quantile", quantile, "must be in (0, 1); 0.01 is usual")
        self.quantile = quantile

    @property
    def protocol(self) -> dict[str, object]:
        """The quantile, and the distance."""
        return {
            "quantile": self.quantile,
            "interpolation": "linear",
            "distance": "Euclidean, to the nearest of all training samples",
            "dtype": "float64",
        }

    def compute(self) -> dict[str, Tensor]:
        """Scalars float64.

        Returns:
            ``memorization_median``, ``memorization_mean``: median (mean) distance of generated samples to
            their nearest training samples over that of held-out ones: 1 as far as unseen data, near 0 copies;
            ``memorization_share``: generated samples nearer than the quantile of held-out ones, which
            is about the quantile itself for unseen data.

        Raises:
            OptionError: the real samples are training samples themselves.
        """
        train = self.rows("train_features")
        held_out, made = (nearest_distances(self.rows(f"{side}_features"), train) for side in self.sides[:2])
        reason = "must not hold training samples: memorization compares with unseen ones; choose test or val"
        require(bool(held_out.median() > 0), "split", "", reason)
        return {
            "memorization_median": made.quantile(0.5) / held_out.quantile(0.5),
            "memorization_mean": made.mean() / held_out.mean(),
            "memorization_share": (made < held_out.quantile(self.quantile)).double().mean(),
        }
