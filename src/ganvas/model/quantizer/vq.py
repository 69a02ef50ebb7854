"""Vector quantization by gradient descent on the codebook (van den Oord 2017, arXiv:1711.00937, equation 3).

Symbols: N vectors z of D dimensions, K codes e; sg is stop-gradient; means are over N * D.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganvas.errors import require
from ganvas.functional.distributed import sum_over_ranks
from ganvas.model.quantizer.codebook import CodebookQuantizer


class VectorQuantizer(CodebookQuantizer):
    """loss = mean((sg z - e)^2) + commitment_cost * mean((z - sg e)^2), straight-through to the encoder.

    The codes start at vectors of the first training batch. A code that no vector chooses restarts at a vector
    of the batch after ``restart_after`` expected uses: a batch of N vectors counts as N / K, what a code gets
    of it at even use, and as one where it has K vectors or more, so that the encoder has as many batches.

    Args:
        num_embeddings: K, the number of codes.
        embedding_dim: D, the length of one vector.
        commitment_cost: weight of the second term, which holds the encoder to the codes.
        restart_after: expected uses of a code that pass without a single one until it restarts; N / K a
            batch (the average count of vq_ema), at most 1. 0 never restarts.

    Raises:
        OptionError: a size below 1, or another value below 0.
    """

    losses = ("codebook_loss", "commitment_loss")
    never_negative = (*CodebookQuantizer.never_negative, "idle")
    idle: Tensor  # int64 [K]: expected uses since a vector chose the code, times K

    def __init__(
        self,
        num_embeddings: int = 512,
        embedding_dim: int = 64,
        commitment_cost: float = 0.25,
        restart_after: float = 50.0,
    ) -> None:
        super().__init__(num_embeddings, embedding_dim, commitment_cost)
        require(restart_after >= 0, "restart_after", restart_after, "must be at least 0; 0 never restarts")
        self.restart_after = restart_after
        self.register_buffer("idle", torch.zeros(num_embeddings, dtype=torch.int64))

    def hold(self, codes: Tensor) -> None:
        self.codebook = nn.Parameter(codes)

    def loss(self, rows: Tensor, codes: Tensor, weight: Tensor | None) -> tuple[Tensor, dict[str, Tensor]]:
        codebook_loss = self.mean((codes - rows.detach()).square(), weight)
        commitment_loss = self.mean((rows - codes.detach()).square(), weight)
        metrics = {"codebook_loss": codebook_loss.detach(), "commitment_loss": commitment_loss.detach()}
        return codebook_loss + self.commitment_cost * commitment_loss, metrics

    @torch.no_grad()
    def update(
        self, rows: Tensor, codes: Tensor, indices: Tensor, counts: Tensor, weight: Tensor | None
    ) -> Tensor:
        """Restarts codes that idle; no gradient reaches these."""
        counts = sum_over_ranks(counts)
        self.batches += 1
        vectors = counts.sum().to(torch.int64)  # N of all ranks; whole numbers, exact in any order
        self.idle.add_(vectors.clamp(max=self.num_embeddings)).masked_fill_(counts > 0, 0)
        if self.restart_after > 0:
            dead = self.idle >= self.restart_after * self.num_embeddings  # [K]
            if self.restart(dead, rows, codes, weight) is not None:
                self.idle.masked_fill_(dead, 0)
        return counts
