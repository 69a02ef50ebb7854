"""Vector quantization with a codebook that follows its vectors (van den Oord 2017, appendix A.1).

Symbols: N vectors z of D dimensions, K codes e; n_k and s_k are the number and the sum of the vectors of
code k in one global batch; N_k and m_k are their running averages, g is ``decay``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.errors import require, require_number
from ganvas.functional.codes import code_sums
from ganvas.functional.distributed import sum_over_ranks
from ganvas.model.quantizer.codebook import CodebookQuantizer


class EMAVectorQuantizer(CodebookQuantizer):
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
        gradient: ``straight_through`` or ``rotation``, see
            :class:`ganvas.model.quantizer.codebook.CodebookQuantizer`.
        start: ``batch``, or ``kmeans``: then N_k are the clusters' sizes, at least 1, and m_k = N_k e_k.

    Raises:
        OptionError: a size below 1, ``decay`` outside [0, 1), another value below 0, a choice that there is
            not, or in the first training batch too few vectors for k-means.
    """

    losses = ("commitment_loss",)
    never_negative = (*CodebookQuantizer.never_negative, "count")
    count: Tensor  # N, float32 [K], vectors a batch
    total: Tensor  # m, float32 [K, D]

    def __init__(
        self,
        num_embeddings: int = 512,
        embedding_dim: int = 64,
        commitment_cost: float = 0.25,
        decay: float = 0.99,
        epsilon: float = 1e-5,
        restart_threshold: float = 0.1,
        gradient: str = "straight_through",
        start: str = "batch",
    ) -> None:
        super().__init__(num_embeddings, embedding_dim, commitment_cost, gradient=gradient, start=start)
        require(0 <= decay < 1, "decay", decay, "must be in [0, 1); 0.99 is usual")
        require_number("epsilon", epsilon, "1e-5 is usual")
        require(
            0 <= restart_threshold < 1,
            "restart_threshold",
            restart_threshold,
            "must be in [0, 1), a share of the average count; 0 never restarts",
        )
        self.decay, self.epsilon, self.restart_threshold = decay, epsilon, restart_threshold
        # N starts at one and m at e: from zero, Laplace smoothing would throw unused codes far away
        self.register_buffer("count", torch.ones(num_embeddings))
        self.register_buffer("total", self.codebook.clone())

    def hold(self, codes: Tensor) -> None:
        self.register_buffer("codebook", codes)

    def loss(
        self, rows: Tensor, codes: Tensor, table: Tensor, weight: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        commitment_loss = self.mean_square(rows, codes, weight)
        # No gradient moves the codes: there is no codebook loss, which would be the same curve once more.
        return self.commitment_cost * commitment_loss, {"commitment_loss": commitment_loss.detach()}

    def put(self, codes: Tensor, counts: Tensor | None = None) -> None:
        super().put(codes)
        if counts is not None:
            self.count.copy_(counts.clamp(min=1))
        self.total.copy_(self.codebook * self.count[:, None])

    @torch.no_grad()
    def update(
        self, rows: Tensor, codes: Tensor, indices: Tensor, counts: Tensor, weight: Tensor | None
    ) -> Tensor:
        """Moves the codes toward the batch, and restarts those that hardly a vector chooses."""
        kind = torch.promote_types(self.total.dtype, torch.float32)  # a sum is not made in half
        count, total = self.count.to(kind), self.total.to(kind)
        seen = rows if weight is None else rows * weight[:, None]
        sums = code_sums(seen.to(total.dtype), indices, self.num_embeddings)
        both = sum_over_ranks(torch.cat([sums, counts[:, None]], dim=1))  # [K, D + 1]
        sums, counts = both[:, :-1], both[:, -1]
        is_any: Tensor | bool = True
        count, total = count.lerp(counts.to(count.dtype), 1 - self.decay), total.lerp(sums, 1 - self.decay)
        vectors = count.sum()
        smoothed = (count + self.epsilon) / (vectors + self.num_embeddings * self.epsilon) * vectors
        moved = total / smoothed[:, None]
        if weight is not None:
            is_any = there = counts.sum() > 0
            kept = zip((moved, count, total), (self.codebook, self.count, self.total), strict=True)
            moved, count, total = (torch.where(there, now, old.to(kind)) for now, old in kept)
        self.codebook.copy_(moved)
        self.batches += is_any
        if self.restart_threshold > 0:
            average = vectors / self.num_embeddings
            dead = (count < self.restart_threshold * average) & is_any  # [K]
            fresh = self.restart(dead, rows, codes, weight)
            if fresh is not None:
                count = torch.where(dead, average, count)
                total = torch.where(dead[:, None], fresh * average, total)
        self.count.copy_(count)
        self.total.copy_(total)
        return counts
