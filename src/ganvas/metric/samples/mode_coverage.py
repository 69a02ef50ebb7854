"""How many modes the samples reach, and how evenly (VEEGAN, Srivastava 2017; PacGAN, Lin 2018)."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.errors import require
from ganvas.metric.interface import Observation, SampleMetric


class ModeCoverage(SampleMetric):
    """Counts of generated and real samples in each mode, which is the extractor's most likely class.

    Of points (two features, and logits ``-d^2 / (2 deviation^2)`` for the distance d to each mode) a sample
    is of high quality within ``deviations`` of its mode, and only such samples cover a mode.

    Args:
        min_samples: generated samples that cover a mode.
        deviations: how far from its mode a point is still of high quality, in the mode's deviations.

    Raises:
        OptionError: one of them is not above 0.
    """

    directions = {"modes_covered": True, "reverse_kl": False, "high_quality_share": True}
    needs_logits = True

    real_modes: Tensor
    generated_modes: Tensor
    generated_good: Tensor

    def __init__(self, min_samples: int = 1, deviations: float = 3.0) -> None:
        super().__init__()
        require(min_samples >= 1, "min_samples", min_samples, "must be at least 1, which is usual")
        require(deviations > 0, "deviations", deviations, "must be above 0; 3 is usual")
        self.min_samples, self.deviations = min_samples, deviations
        self._points = False

    @property
    def protocol(self) -> dict[str, object]:
        """When a mode is covered, and how shares are compared."""
        quality: dict[str, object] = {"deviations": self.deviations} if self._points else {}
        smoothing = "a mode with generated samples alone counts one real sample"
        return {"min_samples": self.min_samples, **quality, "logarithm": "nats", "smoothing": smoothing}

    def begin(self, num_features: int, num_logits: int | None) -> None:
        assert num_logits is not None
        self._points = num_features == 2
        if not self._points:  # of this object alone
            able = {name: up for name, up in self.directions.items() if name != "high_quality_share"}
            self.directions = able  # type: ignore[misc]  # of this object, not of the class
        for state in ("real_modes", "generated_modes", "generated_good"):
            self.keep_sum(state, num_logits, dtype=torch.int64)

    def update(self, seen: Observation, *, side: str) -> None:
        """Adds a batch of one side."""
        assert seen.logits is not None
        logit, mode = seen.logits.to(self.device).max(1)  # [B]
        num_modes = len(self.real_modes)
        counts = torch.bincount(mode, minlength=num_modes)  # [K]
        if side == "real":
            self.real_modes = self.real_modes + counts
            return
        good = mode[logit >= -(self.deviations**2) / 2] if self._points else mode
        self.generated_modes = self.generated_modes + counts
        self.generated_good = self.generated_good + torch.bincount(good, minlength=num_modes)

    def compute(self) -> dict[str, Tensor]:
        """Scalars float64.

        Returns:
            ``modes_covered`` in [0, K];
            ``reverse_kl``: KL(generated || real) of the modes' shares, nats; a mode with generated samples
            and no real one counts as if it had one;
            ``high_quality_share``, of points alone.
        """
        made = self.generated_modes.double()
        real = self.real_modes.double()
        real = torch.where((made > 0) & (real == 0), 1.0, real)
        share, real_share = made / made.sum(), real / real.sum()
        metrics = {
            "modes_covered": (self.generated_good >= self.min_samples).sum().double(),
            "reverse_kl": (torch.special.xlogy(share, share) - torch.special.xlogy(share, real_share)).sum(),
        }
        if self._points:
            metrics["high_quality_share"] = self.generated_good.sum().double() / made.sum()
        return metrics
