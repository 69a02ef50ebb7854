"""A generator of two fully connected layers, for small images and points."""

from __future__ import annotations

import math

from torch import Tensor, nn

from ganvas.model.layers import require_input, require_positive, require_shape


class MLPGenerator(nn.Module):
    """Linear - ReLU - Linear - tanh; 114,064 parameters from 100 latents to 28x28 pixels.

    Args:
        latent_dim: length of a latent.
        sample_shape: shape of one sample, e.g. [1, 28, 28] or [2].
        hidden_dim: units of the hidden layer.

    Raises:
        OptionError: a size below 1.
    """

    def __init__(self, latent_dim: int, sample_shape: list[int], hidden_dim: int = 128) -> None:
        super().__init__()
        require_positive("latent_dim", latent_dim)
        require_positive("hidden_dim", hidden_dim)
        require_shape(sample_shape)
        self.latent_dim = latent_dim
        self.layers = nn.Sequential(
            nn.Linear(latent_dim, hidden_dim),
            nn.ReLU(inplace=True),
            nn.Linear(hidden_dim, math.prod(sample_shape)),
            nn.Tanh(),
            nn.Unflatten(1, tuple(sample_shape)),
        )

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """Latents [B, latent_dim] to samples [B, *sample_shape] in (-1, 1); ``label`` is not read."""
        require_input(z, self.latent_dim)
        return self.layers(z)
