"""Vector quantization by gradient descent on the codebook (van den Oord 2017, arXiv:1711.00937, equation 3).

Symbols: N vectors z of D dimensions, K codes e; sg is stop-gradient; means are over N * D.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.errors import require
from ganvas.functional.codes import count_codes, first_codes, spread_rows, usage
from ganvas.functional.distributed import sum_over_ranks
from ganvas.functional.nearest import nearest_code
from ganvas.functional.straight_through import straight_through
from ganvas.functional.vectors import grid_of, rows_of
from ganvas.model.quantizer.interface import Quantizer, QuantizerOutput


class VectorQuantizer(Quantizer):
    """loss = mean((sg z - e)^2) + commitment_cost * mean((z - sg e)^2), straight-through to the encoder.

    The codes start at vectors of the first training batch, and a code that no vector has chosen for
    ``restart_after`` batches restarts at a vector of the batch: from a random start and left alone, most
    codes are never nearest to anything and get no gradient (23 of 512 in use at the end of a public code).

    Args:
        num_embeddings: K, the number of codes.
        embedding_dim: D, the length of one vector.
        commitment_cost: weight of the second term, which holds the encoder to the codes.
        restart_after: batches without a single vector after which a code restarts; 0 never restarts.

    Raises:
        OptionError: a size below 1, or another value below 0.
    """

    batches: Tensor  # int64 scalar: training batches so far; with none the codes are not made yet
    idle: Tensor  # int64 [K]: batches since a vector chose the code

    def __init__(
        self,
        num_embeddings: int = 512,
        embedding_dim: int = 64,
        commitment_cost: float = 0.25,
        restart_after: int = 100,
    ) -> None:
        super().__init__()
        require(num_embeddings >= 1, "num_embeddings", num_embeddings, "must be at least 1; 512 is usual")
        require(embedding_dim >= 1, "embedding_dim", embedding_dim, "must be at least 1; 64 is usual")
        require(commitment_cost >= 0, "commitment_cost", commitment_cost, "must be at least 0; 0.25 is usual")
        require(restart_after >= 0, "restart_after", restart_after, "must be at least 0; 0 never restarts")
        self.num_codes, self.embedding_dim = num_embeddings, embedding_dim
        self.commitment_cost, self.restart_after = commitment_cost, restart_after
        self.codebook = nn.Parameter(torch.randn(num_embeddings, embedding_dim))
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))
        self.register_buffer("idle", torch.zeros(num_embeddings, dtype=torch.int64))
        # asked until it is so, and then no more: an answer makes the host wait for the device
        self._started = False
        self.register_load_state_dict_post_hook(_ask_again)

    def forward(self, z: Tensor) -> QuantizerOutput:
        rows = rows_of(z).float()  # [N, D]
        if self.training:
            self._start(rows)
        indices = nearest_code(rows, self.codebook)  # [N]
        codes = F.embedding(indices, self.codebook)  # [N, D]
        codebook_loss = F.mse_loss(codes, rows.detach())
        commitment_loss = F.mse_loss(rows, codes.detach())
        loss = codebook_loss + self.commitment_cost * commitment_loss
        counts = count_codes(indices, self.num_codes)
        if self.training:  # in eval mode a rank may be alone
            counts = sum_over_ranks(counts)
            self._restart(rows.detach(), codes.detach(), counts)
        quantized = straight_through(quantized=codes, latent=rows)
        shape = (z.shape[0], *z.shape[2:])
        metrics = {
            "codebook_loss": codebook_loss.detach(),
            "commitment_loss": commitment_loss.detach(),
            **usage(counts),
        }
        return QuantizerOutput(grid_of(quantized, shape), indices.view(shape), loss, metrics)

    def encode(self, z: Tensor) -> Tensor:
        return nearest_code(rows_of(z), self.codebook).view(z.shape[0], *z.shape[2:])

    def decode(self, indices: Tensor) -> Tensor:
        return grid_of(F.embedding(indices.flatten(), self.codebook), indices.shape)

    @torch.no_grad()
    def _start(self, rows: Tensor) -> None:
        """Makes the codes from the first training batch."""
        if self._started:
            return
        # from the second batch on: the recipe puts the first one back where its loss is not finite
        self._started = bool(self.batches > 0)
        if not self._started:
            self.codebook.copy_(first_codes(rows, self.num_codes))

    @torch.no_grad()
    def _restart(self, rows: Tensor, codes: Tensor, counts: Tensor) -> None:
        """Puts codes that idle onto vectors of this batch, which are drawn by their squared error [N].

        So does k-means++ (Arthur & Vassilvitskii 2007): drawn evenly, most would come from where the vectors,
        and so the codes, are dense already. ``codes`` [N, D] are copies, and no gradient reaches idle ones.
        """
        self.batches += 1
        self.idle.add_(1).masked_fill_(counts > 0, 0)
        if self.restart_after > 0:
            dead = self.idle >= self.restart_after  # [K]
            if dead.device.type == "cpu" and not dead.any():  # an accelerator would wait for the answer
                return
            error = (rows - codes).square().sum(1)
            fresh = spread_rows(rows, self.num_codes, self.batches, weight=error)  # [K, D]
            self.codebook.copy_(torch.where(dead[:, None], fresh, self.codebook))
            self.idle.masked_fill_(dead, 0)


def _ask_again(quantizer: nn.Module, _incompatible_keys: object) -> None:
    """A checkpoint may be from before the first batch, or from after it."""
    quantizer._started = False  # type: ignore[assignment]
