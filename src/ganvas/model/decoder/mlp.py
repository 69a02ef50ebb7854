"""A decoder of two fully connected layers, for small images and points."""

from __future__ import annotations

import math

from torch import Tensor, nn

from ganvas.model.layers.basic import require_input, require_positive, require_shape


class MLPDecoder(nn.Module):
    """Linear - ReLU - Linear - tanh, the mirror of the encoder (64-128-784 at 28x28).

    The tanh keeps the output in the data's range (-1, 1): most pixels of such images sit at its ends,
    which tanh approaches from any large input where a linear layer would have to hit them exactly.

    Attributes:
        is_bounded: what it makes lies in [-1, 1].

    Args:
        sample_shape: shape of one sample, e.g. [1, 28, 28].
        embedding_dim: D, the length of one latent vector.
        num_vectors: latent vectors a sample.
        hidden_dim: units of the hidden layer.

    Raises:
        OptionError: a size below 1.
    """

    is_bounded = True

    def __init__(
        self, sample_shape: list[int], embedding_dim: int, num_vectors: int, hidden_dim: int = 128
    ) -> None:
        super().__init__()
        require_shape(sample_shape)
        require_positive("embedding_dim", embedding_dim)
        require_positive("num_vectors", num_vectors)
        require_positive("hidden_dim", hidden_dim)
        self.latent_shape = embedding_dim, num_vectors
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(embedding_dim * num_vectors, hidden_dim),
            nn.ReLU(inplace=True),
            nn.Linear(hidden_dim, math.prod(sample_shape)),
            nn.Tanh(),
            nn.Unflatten(1, tuple(sample_shape)),
        )

    def forward(self, z: Tensor) -> Tensor:
        """Latents [B, D, num_vectors] to samples [B, *sample_shape] in (-1, 1)."""
        require_input(z, *self.latent_shape)
        return self.layers(z)
