"""A discriminator of fully connected layers, the head being the last, for small images and points."""

from __future__ import annotations

import math

from torch import Tensor, nn

from ganvas.model.layers.basic import hidden, require_input, require_positive, require_shape


class MLPDiscriminator(nn.Module):
    """Linear - ReLU; with one linear layer for a head 100,609 parameters at 28x28 pixels.

    With several hidden layers Linear - ReLU stands there as many times.

    Args:
        sample_shape: shape of one sample, e.g. [1, 28, 28] or [2].
        hidden_dim: units of a hidden layer.
        hidden_layers: how many there are.

    Raises:
        OptionError: a size below 1.
    """

    def __init__(self, sample_shape: list[int], hidden_dim: int = 128, hidden_layers: int = 1) -> None:
        super().__init__()
        require_shape(sample_shape)
        self.sample_shape, self.feature_dim = tuple(sample_shape), hidden_dim
        require_positive("hidden_dim", hidden_dim)
        require_positive("hidden_layers", hidden_layers)
        self.layers = nn.Sequential(nn.Flatten(), *hidden(math.prod(sample_shape), hidden_dim, hidden_layers))

    def forward(self, x: Tensor) -> Tensor:
        """Samples [B, *sample_shape] in [-1, 1] to features [B, feature_dim]."""
        require_input(x, *self.sample_shape)
        return self.layers(x)
