"""A quantizer: latents to codes and back."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.functional.codes import straight_through
from ganvas.model.quantizer.vectorwise import RowsOutput, VectorwiseQuantizer


class Signs(VectorwiseQuantizer):
    """Each of D values becomes its sign, -1 or 1: 2^D codes, and no codebook to learn.

    The gradient passes the sign as that of tanh(z), so that a value far from 0 no longer moves.

    Args:
        embedding_dim: D, the length of one vector; at most 62.
        commitment_cost: weight of mean((tanh(z) - sign(z))^2), which holds the encoder to the signs.
    """

    updates_itself = False  # a forward pass changes nothing
    takes_nearest = True  # of all codes, the one at the smallest distance

    def __init__(self, embedding_dim: int, commitment_cost: float = 0.01) -> None:
        super().__init__()
        self.embedding_dim, self.codebook_sizes = embedding_dim, (2**embedding_dim,)
        self.commitment_cost = commitment_cost
        self.register_buffer("places", 2 ** torch.arange(embedding_dim), persistent=False)
        self.places: Tensor
        self.register_buffer("like", torch.zeros(()), persistent=False)  # of the type that codes have
        self.like: Tensor

    def quantize(self, rows: Tensor, weight: Tensor | None = None) -> RowsOutput:
        """Vectors [N, D] to their codes; ``weight`` [N] is 0 for those that a mask leaves out."""
        rows = rows.tanh()
        signs = torch.where(rows > 0, 1.0, -1.0).to(rows.dtype)
        commitment = self.mean((rows - signs).square(), weight)
        indices = self.search(rows)
        return RowsOutput(
            quantized=straight_through(quantized=signs, latent=rows),
            indices=indices,
            loss=self.commitment_cost * commitment,
            losses={"commitment_loss": commitment.detach()},
            usage=self.usage_of(indices, weight),
        )

    def search(self, rows: Tensor) -> Tensor:
        """Vectors [N, D] to indices int64 [N, 1], of one level: bit d is whether rows[:, d] > 0."""
        return ((rows > 0) * self.places).sum(1, keepdim=True)

    def look_up(self, indices: Tensor) -> Tensor:
        """Indices int64 [N, 1] to code vectors [N, D] of -1 and 1."""
        return (indices // self.places % 2 * 2.0 - 1.0).to(self.like.dtype)
