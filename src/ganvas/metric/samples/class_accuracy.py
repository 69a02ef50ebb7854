"""How often a classifier sees in a sample the class that was asked for (Odena 2017, arXiv:1610.09585)."""

from __future__ import annotations

from torch import Tensor

from ganvas.errors import OptionError
from ganvas.metric.interface import Observation, SampleMetric


class ClassAccuracy(SampleMetric):
    """The share of generated samples whose largest logit is that of their class; for conditional models.

    What the classifier itself reaches on real samples is the mark to hold it against: its protocol says it.
    """

    directions = {"class_accuracy": True}
    sides = ("generated",)
    needs_logits = True
    needs_labels = True

    @property
    def protocol(self) -> dict[str, object]:
        """What counts as seen."""
        return {"seen": "the largest logit", "mean": "over samples"}

    def begin(self, num_features: int, num_logits: int | None) -> None:
        del num_features
        assert num_logits is not None
        self.keep_sum("generated_right")
        self.keep_sum("generated_count")

    def check_counts(self, counts: dict[str, int], num_features: int) -> None:
        """One sample is enough."""

    def update(self, seen: Observation, *, side: str) -> None:
        """Adds a batch; other sides are left aside.

        Raises:
            OptionError: no labels.
        """
        if side != "generated":
            return
        assert seen.logits is not None
        if seen.label is None:
            reason = "needs labels, and the generated samples have none; model.conditional=true"
            raise OptionError("samples", "class_accuracy", reason)
        right = (seen.logits.argmax(1) == seen.label) & seen.logits.isfinite().all(1)
        self.add_sum("generated_right", right.sum())
        self.add_sum("generated_count", len(right))

    def compute(self) -> dict[str, Tensor]:
        """``class_accuracy`` in [0, 1]."""
        right, count = (getattr(self, f"generated_{name}") for name in ("right", "count"))
        return {"class_accuracy": right / count}
