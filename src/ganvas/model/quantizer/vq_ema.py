"""Vector quantization with a codebook that follows its vectors (van den Oord 2017, appendix A.1).

Symbols: N vectors z of D dimensions, K codes e; n_k and s_k are the number and the sum of the vectors of
code k in one global batch; N_k and m_k are their running averages, g is ``decay``.
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


class EMAVectorQuantizer(Quantizer):
    """Codes are running means of the vectors that chose them; no gradient reaches them.

        N_k <- g N_k + (1 - g) n_k,    m_k <- g m_k + (1 - g) s_k,    e_k = m_k / Nhat_k,
        Nhat_k = (N_k + epsilon) / (sum N + K epsilon) * sum N

    A batch is quantized with the codes as they are; then they move. The codes start at vectors of the first
    training batch. A code whose N_k falls below ``restart_threshold`` times the average restarts at a vector
    of the batch: e, m and N together. Statistics are sums over ranks, so every rank holds the same codes.

    Args:
        num_embeddings: K, the number of codes.
        embedding_dim: D, the length of one vector.
        commitment_cost: weight of mean((z - sg e)^2), which holds the encoder to the codes.
        decay: g, per batch.
        epsilon: Laplace smoothing of the counts, in vectors.
        restart_threshold: share of the average count below which a code restarts; 0 never restarts.

    Raises:
        OptionError: a size below 1, ``decay`` outside [0, 1), or another value below 0.
    """

    codebook: Tensor  # e, float32 [K, D]
    count: Tensor  # N, float32 [K], vectors a batch
    total: Tensor  # m, float32 [K, D]
    batches: Tensor  # int64 scalar: updates so far; with none the codes are not made yet

    def __init__(
        self,
        num_embeddings: int = 512,
        embedding_dim: int = 64,
        commitment_cost: float = 0.25,
        decay: float = 0.99,
        epsilon: float = 1e-5,
        restart_threshold: float = 0.1,
    ) -> None:
        super().__init__()
        require(num_embeddings >= 1, "num_embeddings", num_embeddings, "must be at least 1; 512 is usual")
        require(embedding_dim >= 1, "embedding_dim", embedding_dim, "must be at least 1; 64 is usual")
        require(commitment_cost >= 0, "commitment_cost", commitment_cost, "must be at least 0; 0.25 is usual")
        require(0 <= decay < 1, "decay", decay, "must be in [0, 1); 0.99 is usual")
        require(epsilon >= 0, "epsilon", epsilon, "must be at least 0; 1e-5 is usual")
        require(
            0 <= restart_threshold < 1,
            "restart_threshold",
            restart_threshold,
            "must be in [0, 1), a share of the average count; 0 never restarts",
        )
        self.num_codes, self.embedding_dim = num_embeddings, embedding_dim
        self.commitment_cost, self.decay, self.epsilon = commitment_cost, decay, epsilon
        self.restart_threshold = restart_threshold
        # N starts at one and m at e: from zero, Laplace smoothing would throw unused codes far away
        self.register_buffer("codebook", torch.randn(num_embeddings, embedding_dim))
        self.register_buffer("count", torch.ones(num_embeddings))
        self.register_buffer("total", self.codebook.clone())
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))
        # asked until it is so, and then no more: an answer makes the host wait for the device
        self._started = False
        self.register_load_state_dict_post_hook(_ask_again)

    def forward(self, z: Tensor) -> QuantizerOutput:
        rows = rows_of(z).float()  # [N, D]
        if self.training:
            self._start(rows)
        indices = nearest_code(rows, self.codebook)  # [N]
        codes = F.embedding(indices, self.codebook)  # [N, D], a copy: the update below does not reach it
        commitment_loss = F.mse_loss(rows, codes)
        counts = count_codes(indices, self.num_codes)
        if self.training:
            counts = self._update(rows.detach(), codes, indices, counts)
        quantized = straight_through(quantized=codes, latent=rows)
        shape = (z.shape[0], *z.shape[2:])
        distance = commitment_loss.detach()
        metrics = {"codebook_loss": distance, "commitment_loss": distance, **usage(counts)}
        loss = self.commitment_cost * commitment_loss
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
            self.total.copy_(self.codebook)

    @torch.no_grad()
    def _update(self, rows: Tensor, codes: Tensor, indices: Tensor, counts: Tensor) -> Tensor:
        """Moves the codes toward the batch; returns the counts n over all ranks, float32 [K]."""
        sums = torch.zeros_like(self.total).index_add_(0, indices, rows)
        both = sum_over_ranks(torch.cat([sums, counts[:, None]], dim=1))  # [K, D + 1]
        sums, counts = both[:, :-1], both[:, -1]
        self.count.lerp_(counts, 1 - self.decay)
        self.total.lerp_(sums, 1 - self.decay)
        vectors = self.count.sum()
        smoothed = (self.count + self.epsilon) / (vectors + self.num_codes * self.epsilon) * vectors
        self.codebook.copy_(self.total / smoothed[:, None])
        self.batches += 1
        if self.restart_threshold > 0:
            self._restart(rows, codes, vectors / self.num_codes)
        return counts

    def _restart(self, rows: Tensor, codes: Tensor, average: Tensor) -> None:
        """Puts codes that hardly a vector chooses onto vectors of this batch, with the average count.

        Vectors are drawn by their squared error, as k-means++ does (Arthur & Vassilvitskii 2007): drawn
        evenly, most would come from where the vectors, and so the codes, are dense already.
        """
        dead = self.count < self.restart_threshold * average  # [K]
        if dead.device.type == "cpu" and not dead.any():  # an accelerator would wait for the answer
            return
        error = (rows - codes).square().sum(1)  # [N]
        fresh = spread_rows(rows, self.num_codes, self.batches, weight=error)  # [K, D]
        self.count.copy_(torch.where(dead, average, self.count))
        self.codebook.copy_(torch.where(dead[:, None], fresh, self.codebook))
        self.total.copy_(torch.where(dead[:, None], fresh * average, self.total))


def _ask_again(quantizer: nn.Module, _incompatible_keys: object) -> None:
    """A checkpoint may be from before the first batch, or from after it."""
    quantizer._started = False  # type: ignore[assignment]
