"""A generator: latents to samples."""

from __future__ import annotations

import math

from torch import Tensor, nn


class ResidualMLP(nn.Module):
    """Linear layers with a shortcut around each, then tanh.

    Args:
        latent_dim: length of a latent.
        sample_shape: sizes of one sample, e.g. [1, 16, 16].
        hidden_dim: units of each layer.
        depth: layers with a shortcut.
    """

    def __init__(
        self, latent_dim: int, sample_shape: list[int], hidden_dim: int = 128, depth: int = 2
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.first = nn.Linear(latent_dim, hidden_dim)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, hidden_dim))
            for _ in range(depth)
        )
        self.last = nn.Linear(hidden_dim, math.prod(sample_shape))
        self.shape = nn.Unflatten(1, tuple(sample_shape))

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """Latents [B, latent_dim] to samples [B, *sample_shape] in (-1, 1); ``label`` is not read."""
        x = self.first(z)
        for block in self.blocks:
            x = x + block(x)
        samples: Tensor = self.shape(self.last(x).tanh())
        return samples
