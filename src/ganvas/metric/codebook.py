"""How much of the codes is in use."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric

from ganvas.errors import require
from ganvas.functional.code_usage import LARGEST_TABLE, of_all_levels
from ganvas.functional.codes import require_indices


class CodeUsage(Metric):
    """Counts of each code of each level; ranks' counts are summed before anything is computed from them.

    A level of more than 2^20 codes has no table: its indices are kept, 8 bytes each.

    Args:
        codebook_sizes: K of each level.

    Raises:
        OptionError: no level, or K below 1.
    """

    is_differentiable = False
    full_state_update = False

    def __init__(self, codebook_sizes: Sequence[int]) -> None:
        super().__init__()
        sizes = tuple(codebook_sizes)
        fits = len(sizes) > 0 and min(sizes) > 0
        require(fits, "codebook_sizes", list(sizes), "must be at least 1 each, of one level or more")
        self.codebook_sizes = sizes
        for level, size in enumerate(sizes, 1):
            if size <= LARGEST_TABLE:
                table = torch.zeros(size, dtype=torch.int64)
                self.add_state(f"counts_{level}", table, dist_reduce_fx="sum")
            else:
                self.add_state(f"indices_{level}", [], dist_reduce_fx="cat")

    @property
    def protocol(self) -> dict[str, object]:
        """How the metrics are taken; the codebook's size is the model's and not theirs."""
        return {
            "counts": "whole split, all ranks",
            "perplexity": "exp of the entropy in nats",
            "levels": "each by itself, and their mean",
        }

    def update(self, indices: Sequence[Tensor]) -> None:
        """Adds each level's indices int64 [...] in [0, K).

        Raises:
            ValueError: an index outside, or another number of levels.
        """
        for level, (one, size) in enumerate(zip(indices, self.codebook_sizes, strict=True), 1):
            require_indices(one, size)
            if size <= LARGEST_TABLE:
                counts = torch.bincount(one.flatten(), minlength=size)
                setattr(self, f"counts_{level}", getattr(self, f"counts_{level}") + counts)
            else:
                getattr(self, f"indices_{level}").append(one.flatten())

    def compute(self) -> dict[str, Tensor]:
        """Scalars float64.

        Returns:
            ``perplexity``: exp of the entropy (nats) of the codes' distribution, in [1, K];
            ``codes_used``: codes that occurred; ``code_usage``: their share of K; ``dead_codes``: the others.
            Before any update all codes are dead and the rest is 0. Of several levels their mean, and each
            level's as ``perplexity_level_1`` and so on.
        """
        each = []
        for level, size in enumerate(self.codebook_sizes, 1):
            counts = self._counts(level, size)
            share = counts.double() / counts.sum().clamp(min=1)
            used = (counts > 0).sum().double()
            perplexity = torch.special.entr(share).sum().exp() * (used > 0)
            numbers = {"codes_used": used, "code_usage": used / size, "dead_codes": size - used}
            each.append({"perplexity": perplexity, **numbers})
        return of_all_levels(each)

    def _counts(self, level: int, size: int) -> Tensor:
        """How often each code occurred, or each one that did, int64 [...]."""
        if size <= LARGEST_TABLE:
            table: Tensor = getattr(self, f"counts_{level}")
            return table
        kept = getattr(self, f"indices_{level}")  # a list, or one tensor after a sync
        if isinstance(kept, list):
            kept = torch.cat(kept) if kept else torch.zeros(0, dtype=torch.int64, device=self.device)
        return torch.as_tensor(kept.unique(return_counts=True)[1])
