"""Vector quantization by gradient descent on the codebook (van den Oord 2017, arXiv:1711.00937, equation 3).

Symbols: N vectors z of D dimensions, K codes e; sg is stop-gradient; means are over N * D.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganvas.errors import OptionError, require_number
from ganvas.functional.code_losses import entropy_loss, orthogonal_loss
from ganvas.functional.distributed import sum_over_ranks
from ganvas.functional.estimators import diveq, diveq_noise
from ganvas.model.quantizer.codebook import GRADIENTS, CodebookQuantizer


class VectorQuantizer(CodebookQuantizer):
    """loss = mean((sg z - e)^2) + commitment_cost * mean((z - sg e)^2), straight-through to the encoder.

    The codes start from the vectors of the first training batch. A code that no vector chooses restarts at a
    vector of the batch after ``restart_after`` expected uses: a batch of N vectors counts as N / K, what a
    code gets of it at even use, and as one where it has K vectors or more, so that the encoder has as many
    batches.

    Args:
        num_embeddings: K, the number of codes.
        embedding_dim: D, the length of one vector.
        commitment_cost: weight of the second term, which holds the encoder to the codes; None: 0.25, and
            without a term with ``diveq``.
        restart_after: expected uses of a code that pass without a single one until it restarts; N / K a
            batch (the average count of vq_ema), at most 1. 0 never restarts.
        gradient: ``straight_through`` or ``rotation`` (see
            :class:`ganvas.model.quantizer.codebook.CodebookQuantizer`), or ``diveq``
            (:func:`ganvas.functional.estimators.diveq`): in training the decoder sees a point as far from
            the vector as its code, in a direction near the code's, and its gradient moves the codes; neither
            term of the loss is there. Where the codes do not learn, in eval mode or frozen, it sees the code.
        start: ``batch`` or ``kmeans``.
        orthogonal_cost: weight of :func:`ganvas.functional.code_losses.orthogonal_loss` of the codes.
        entropy_cost: weight of :func:`ganvas.functional.code_losses.entropy_loss`.
        entropy_temperature: of that, in the vectors' unit squared.
        entropy_diversity: weight within that of the term that makes codes be used evenly.

    Raises:
        OptionError: a size below 1, a temperature of 0, another value below 0, a choice that there is not, a
            commitment with ``diveq``, or in the first training batch too few vectors for k-means.
    """

    losses = ("codebook_loss", "commitment_loss", "orthogonal_loss", "entropy_loss")
    gradients = (*GRADIENTS, "diveq")
    never_negative = (*CodebookQuantizer.never_negative, "idle")
    noise_start: Tensor  # int64 scalar: beside the batches so far the key of diveq's noise
    idle: Tensor  # int64 [K]: expected uses since a vector chose the code, times K

    def __init__(
        self,
        num_embeddings: int = 512,
        embedding_dim: int = 64,
        commitment_cost: float | None = None,
        restart_after: float = 50.0,
        gradient: str = "straight_through",
        start: str = "batch",
        orthogonal_cost: float = 0.0,
        entropy_cost: float = 0.0,
        entropy_temperature: float = 0.01,
        entropy_diversity: float = 1.0,
    ) -> None:
        if gradient == "diveq" and commitment_cost:
            rule = "diveq trains without a commitment; leave it null or 0, or take another gradient"
            raise OptionError("commitment_cost", commitment_cost, rule)
        if commitment_cost is None:
            commitment_cost = 0.0 if gradient == "diveq" else 0.25
        super().__init__(num_embeddings, embedding_dim, commitment_cost, gradient=gradient, start=start)
        require_number("restart_after", restart_after, "0 never restarts")
        require_number("orthogonal_cost", orthogonal_cost, "10 is usual, 0 leaves the term out")
        require_number("entropy_cost", entropy_cost, "0.1 is usual, 0 leaves the term out")
        require_number("entropy_temperature", entropy_temperature, "0.01 is usual", positive=True)
        require_number("entropy_diversity", entropy_diversity, "1 is usual")
        self.restart_after, self.orthogonal_cost = restart_after, orthogonal_cost
        self.entropy_cost, self.compares_vectors = entropy_cost, entropy_cost > 0
        self.draws_codes = gradient == "diveq"
        self.entropy_temperature, self.entropy_diversity = entropy_temperature, entropy_diversity
        if gradient == "diveq":
            # other noise in every run, and in every quantizer of several
            self.register_buffer("noise_start", torch.randint(2**40, ()))
        self.register_buffer("idle", torch.zeros(num_embeddings, dtype=torch.int64))

    def hold(self, codes: Tensor) -> None:
        self.codebook = nn.Parameter(codes)

    def table(self) -> Tensor:
        # what the two costs keep for their gradients must not be what a restart sets
        return self.codebook.clone() if self.orthogonal_cost or self.entropy_cost else self.codebook

    def estimate(self, latents: Tensor, codes: Tensor, learns: bool) -> Tensor:
        if self.gradient == "diveq":
            noise = diveq_noise(self.noise_start + self.batches, latents) if learns else None
            return diveq(code=codes, latent=latents, noise=noise)
        return super().estimate(latents, codes, learns)

    def loss(
        self, rows: Tensor, codes: Tensor, table: Tensor, weight: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        terms: dict[str, tuple[float, Tensor]] = {}
        if self.gradient != "diveq":
            codebook_loss = self.mean_square(codes, rows.detach(), weight)
            terms["codebook_loss"] = 1.0, codebook_loss
            terms["commitment_loss"] = (
                self.commitment_cost,
                self.mean_square(rows, codes.detach(), weight),
            )
        if self.orthogonal_cost:
            orthogonal = orthogonal_loss(table)
            if weight is not None:  # a batch of which nothing is there teaches nothing
                orthogonal = orthogonal * self.are_any(weight)
            terms["orthogonal_loss"] = self.orthogonal_cost, orthogonal
        if self.entropy_cost:
            terms["entropy_loss"] = (
                self.entropy_cost,
                entropy_loss(
                    rows,
                    table,
                    temperature=self.entropy_temperature,
                    diversity=self.entropy_diversity,
                    weight=weight,
                    over_ranks=self.training,
                ),
            )
        total = sum((cost * value for cost, value in terms.values()), start=rows.new_zeros(()))
        return total, {name: value.detach() for name, (_, value) in terms.items()}

    @torch.no_grad()
    def update(
        self, rows: Tensor, codes: Tensor, indices: Tensor, counts: Tensor, weight: Tensor | None
    ) -> Tensor:
        """Restarts codes that idle; no gradient reaches these."""
        counts = sum_over_ranks(counts)
        vectors = counts.sum().to(torch.int64)  # N of all ranks; whole numbers, exact in any order
        self.batches += vectors > 0
        self.idle.add_(vectors.clamp(max=self.num_embeddings)).masked_fill_(counts > 0, 0)
        if self.restart_after > 0:
            dead = (self.idle >= self.restart_after * self.num_embeddings) & (vectors > 0)  # [K]
            if self.restart(dead, rows, codes, weight) is not None:
                self.idle.masked_fill_(dead, 0)
        return counts
