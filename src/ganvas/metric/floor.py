"""Training samples in the place of generated ones: what a metric comes to for a perfect generator."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganvas.errors import require
from ganvas.metric.evaluate import EvaluatedData


class TrainingSamples(nn.Module):
    """A sampler that hands out training samples, each once, in an order that is a function of the seed.

    Args:
        data: their data module.
        num: how many will be asked for.

    Raises:
        OptionError: more than there are.
    """

    ema = None

    def __init__(self, data: EvaluatedData, num: int) -> None:
        super().__init__()
        held = data.num_samples("train")
        require(num <= held, "num_samples", num, f"is more than the {held} training samples; take fewer")
        batches = list(data.batches("train", 4096))
        self.samples = torch.cat([batch.x for batch in batches])
        labels = [batch.label for batch in batches if batch.label is not None]
        self.labels = torch.cat(labels) if len(labels) == len(batches) else None

    def sample(
        self, num: int, seed: int, *, ema: bool = True, start: int = 0, truncation: float | None = None
    ) -> Tensor:
        """Samples start ... start + num of the order."""
        del ema, truncation
        return self.samples[self._order(seed)[start : start + num]]

    def sample_labels(self, num: int, seed: int, *, start: int = 0) -> Tensor | None:
        """Their classes."""
        return None if self.labels is None else self.labels[self._order(seed)[start : start + num]]

    def _order(self, seed: int) -> Tensor:
        return torch.randperm(len(self.samples), generator=torch.Generator().manual_seed(seed))
