"""An encoder of two fully connected layers, for small images and points."""

from __future__ import annotations

import math

from torch import Tensor, nn

from ganvas.model.layers.basic import require_input, require_positive, require_shape


class MLPEncoder(nn.Module):
    """Linear - ReLU - Linear to ``num_vectors`` latent vectors a sample (784-128-64 at 28x28).

    Args:
        sample_shape: shape of one sample, e.g. [1, 28, 28].
        embedding_dim: D, the length of one latent vector.
        num_vectors: latent vectors a sample; with one, a sample is one code and at most K samples exist.
        hidden_dim: units of the hidden layer.

    Raises:
        OptionError: a size below 1.
    """

    def __init__(
        self, sample_shape: list[int], embedding_dim: int, num_vectors: int, hidden_dim: int = 128
    ) -> None:
        super().__init__()
        require_shape(sample_shape)
        self.sample_shape = tuple(sample_shape)
        require_positive("embedding_dim", embedding_dim)
        require_positive("num_vectors", num_vectors)
        require_positive("hidden_dim", hidden_dim)
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(math.prod(sample_shape), hidden_dim),
            nn.ReLU(inplace=True),
            nn.Linear(hidden_dim, embedding_dim * num_vectors),
            nn.Unflatten(1, (embedding_dim, num_vectors)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Samples [B, *sample_shape] in [-1, 1] to latents [B, D, num_vectors]."""
        require_input(x, *self.sample_shape)
        return self.layers(x)
