"""How much of a codebook is in use."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

from ganvas.errors import require
from ganvas.functional.codes import require_indices


class CodeUsage(Metric):
    """Counts of each code; ranks' counts are summed before anything is computed from them.

    Args:
        num_codes: K, size of the codebook.

    Raises:
        OptionError: K below 1.
    """

    is_differentiable = False
    full_state_update = False

    counts: Tensor

    def __init__(self, num_codes: int) -> None:
        super().__init__()
        require(num_codes > 0, "num_codes", num_codes, "must be at least 1")
        self.num_codes = num_codes
        self.add_state("counts", torch.zeros(num_codes, dtype=torch.int64), dist_reduce_fx="sum")

    @property
    def protocol(self) -> dict[str, object]:
        """How the metrics are taken; the codebook's size is the model's and not theirs."""
        return {"counts": "whole split, all ranks", "perplexity": "exp of the entropy in nats"}

    def update(self, indices: Tensor) -> None:
        """Adds indices int64 [...] in [0, K).

        Raises:
            ValueError: an index outside.
        """
        require_indices(indices, self.num_codes)
        self.counts = self.counts + torch.bincount(indices.flatten(), minlength=self.num_codes)

    def compute(self) -> dict[str, Tensor]:
        """Scalars float64.

        Returns:
            ``perplexity``: exp of the entropy (nats) of the codes' distribution, in [1, K];
            ``codes_used``: codes that occurred; ``code_usage``: their share of K; ``dead_codes``: the others.
            Before any update all codes are dead and the rest is 0.
        """
        share = self.counts.double() / self.counts.sum().clamp(min=1)
        used = (self.counts > 0).sum().double()
        perplexity = torch.special.entr(share).sum().exp() * (used > 0)
        return {
            "perplexity": perplexity,
            "codes_used": used,
            "code_usage": used / self.num_codes,
            "dead_codes": self.num_codes - used,
        }
