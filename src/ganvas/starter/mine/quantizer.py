"""A quantizer: latents to codes and back."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from ganvas.functional.codes import count_codes, straight_through, usage
from ganvas.functional.distributed import sum_over_ranks
from ganvas.model.quantizer.interface import Quantizer, QuantizerOutput


class Signs(Quantizer):
    """Each of D values becomes its sign, -1 or 1: 2^D codes, and no codebook to learn.

    The gradient passes the sign as that of tanh(z), so that a value far from 0 no longer moves.

    Args:
        embedding_dim: D, the length of one vector; at most 20.
        commitment_cost: weight of mean((tanh(z) - sign(z))^2), which holds the encoder to the signs.
    """

    updates_itself = False  # a forward pass changes nothing

    def __init__(self, embedding_dim: int, commitment_cost: float = 0.01) -> None:
        super().__init__()
        self.embedding_dim, self.num_codes = embedding_dim, 2**embedding_dim
        self.commitment_cost = commitment_cost
        self.register_buffer("places", 2 ** torch.arange(embedding_dim), persistent=False)
        self.places: Tensor

    def forward(self, z: Tensor) -> QuantizerOutput:
        """Latents [B, D, *positions] to their codes."""
        z = z.tanh()
        signs = torch.where(z > 0, 1.0, -1.0).to(z.dtype)
        commitment = mse_loss(z, signs)
        indices = self._indices(z)  # encode looks at z first, and an accelerator would wait for that
        counts = count_codes(indices.flatten(), self.num_codes)
        if self.training:  # in eval mode a rank may be alone
            counts = sum_over_ranks(counts)
        metrics = {"commitment_loss": commitment.detach(), **usage(counts)}
        quantized = straight_through(quantized=signs, latent=z)
        return QuantizerOutput(quantized, indices, self.commitment_cost * commitment, metrics)

    def encode(self, z: Tensor) -> Tensor:
        """Latents [B, D, *positions] to indices int64 [B, *positions]: bit d is whether z[:, d] > 0."""
        return self._indices(z)

    def decode(self, indices: Tensor) -> Tensor:
        """Indices int64 [B, *positions] to code vectors [B, D, *positions] of -1 and 1."""
        bits = indices[..., None] // self.places % 2
        return (bits * 2.0 - 1.0).movedim(-1, 1)

    def _indices(self, z: Tensor) -> Tensor:
        return ((z > 0).movedim(1, -1) * self.places).sum(-1)
