"""The kernel distance of generated to real features (Binkowski 2018, arXiv:1801.01401)."""

from __future__ import annotations

from torch import Tensor

from ganvas.errors import require
from ganvas.functional.kernel_distance import kernel_distance
from ganvas.metric.interface import SampleMetric


class KID(SampleMetric):
    """The unbiased estimate over all pairs of all samples, with its standard error; float64.

    No subsets are drawn, so nothing is random. It is unbiased for any number of samples, where an FID is not.
    """

    directions = {"kid": False, "kid_standard_error": None}

    @property
    def protocol(self) -> dict[str, object]:
        """The kernel and the estimators."""
        return {
            "kernel": "(x.y / F + 1)^3",
            "estimator": "unbiased",
            "subsets": "none: all pairs of all samples",
            "error": "jackknife",
            "dtype": "float64",
        }

    def check_counts(self, counts: dict[str, int], num_features: int) -> None:
        """A side with one of its samples left out must still have a pair."""
        del num_features
        for side in self.sides:
            reason = f"is too few {side} samples for kid; it needs at least 3, and 1000 for a small error"
            require(counts[side] >= 3, "num_samples", counts[side], reason)

    def compute(self) -> dict[str, Tensor]:
        """``kid``, around 0 for equal distributions and then also below; ``kid_standard_error``."""
        value, error = kernel_distance(
            features_1=self.rows("real_features"), features_2=self.rows("generated_features")
        )
        return {"kid": value, "kid_standard_error": error}
