"""A generator of fully connected layers, for small images and points."""

from __future__ import annotations

import math

from torch import Tensor, nn

from ganvas.model.layers.basic import (
    hidden,
    require_classes,
    require_input,
    require_positive,
    require_shape,
    with_class,
)


class MLPGenerator(nn.Module):
    """Linear - ReLU - Linear - tanh; 114,064 parameters from 100 latents to 28x28 pixels.

    With several hidden layers Linear - ReLU stands there as many times.

    Args:
        latent_dim: length of a latent.
        sample_shape: shape of one sample, e.g. [1, 28, 28] or [2].
        hidden_dim: units of a hidden layer.
        hidden_layers: how many there are.
        num_classes: K; the class stands behind the latent as a one-hot vector (Mirza & Osindero 2014,
            arXiv:1411.1784). None: no classes.

    Raises:
        OptionError: a size below 1.
    """

    def __init__(
        self,
        latent_dim: int,
        sample_shape: list[int],
        hidden_dim: int = 128,
        hidden_layers: int = 1,
        num_classes: int | None = None,
    ) -> None:
        super().__init__()
        require_positive("latent_dim", latent_dim)
        require_positive("hidden_dim", hidden_dim)
        require_positive("hidden_layers", hidden_layers)
        require_shape(sample_shape)
        require_classes(num_classes)
        self.latent_dim, self.num_classes = latent_dim, num_classes
        self.layers = nn.Sequential(
            *hidden(latent_dim + (num_classes or 0), hidden_dim, hidden_layers),
            nn.Linear(hidden_dim, math.prod(sample_shape)),
            nn.Tanh(),
            nn.Unflatten(1, tuple(sample_shape)),
        )

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """Latents [B, latent_dim] and classes int64 [B], where there are some, to samples [B, *sample_shape].

        Samples lie in (-1, 1).
        """
        require_input(z, self.latent_dim)
        return self.layers(with_class(z, label, self.num_classes))
