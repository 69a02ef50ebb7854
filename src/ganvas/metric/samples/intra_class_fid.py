"""The mean over classes of the Frechet distance within a class (Miyato & Koyama 2018, arXiv:1802.05637)."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.errors import OptionError, require
from ganvas.functional.frechet import frechet_distance_of_samples
from ganvas.metric.interface import Observation, SampleMetric


class IntraClassFID(SampleMetric):
    """For conditional models: real samples of a class against those made for it; every class weighs the same.

    Samples are kept, because a class has often fewer of them than features (see the function that is used).
    """

    directions = {"intra_class_fid": False}
    needs_labels = True

    @property
    def protocol(self) -> dict[str, object]:
        """The distance within a class."""
        return {
            "distance": "Frechet",
            "ddof": 1,
            "dtype": "float64",
            "moments": "of all samples of a class at once",
            "classes": "of the real samples",
            "mean": "over classes, each weighs the same",
        }

    def begin(self, num_features: int, num_logits: int | None) -> None:
        super().begin(num_features, num_logits)
        for side in self.sides:
            self.keep_rows(f"{side}_label", dtype=torch.int64)

    def update(self, seen: Observation, *, side: str) -> None:
        """Adds a batch of one side.

        Raises:
            OptionError: no labels.
        """
        if seen.label is None:
            reason = (
                f"needs labels, and the {side} samples have none; use fid, or a model and data with labels"
            )
            raise OptionError("samples", "intra_class_fid", reason)
        super().update(seen, side=side)
        self.add_rows(f"{side}_label", seen.number, seen.label)

    def compute(self) -> dict[str, Tensor]:
        """``intra_class_fid``.

        Raises:
            OptionError: a class with fewer than 2 samples on a side.
        """
        features = {side: self.rows(f"{side}_features") for side in self.sides}
        labels = {side: self.rows(f"{side}_label") for side in self.sides}
        distances = []
        for label in labels["real"].unique().tolist():
            real, generated = (features[side][labels[side] == label] for side in self.sides)
            for side, rows in (("real", real), ("generated", generated)):
                reason = (
                    f"gives class {label} {len(rows)} {side} samples; intra_class_fid needs at least 2 of "
                    f"every class, and more than {rows.shape[1]} for a full rank"
                )
                require(len(rows) >= 2, "num_samples", len(features["generated"]), reason)
            distances.append(frechet_distance_of_samples(features_1=real, features_2=generated))
        return {"intra_class_fid": torch.stack(distances).mean()}
