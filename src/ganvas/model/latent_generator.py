"""What every recipe with a generator of latent vectors can do, however it is trained."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganvas.errors import require
from ganvas.functional.latents import latent
from ganvas.functional.modes import eval_mode
from ganvas.functional.random import hash64
from ganvas.model.ema.interface import WeightAverage
from ganvas.model.training.recipe import Recipe


class LatentGenerator(Recipe):
    """Makes samples from latent vectors; what trains it is the subclass's ``step``.

    Args:
        latent_dim: length of the latent vector, drawn from N(0, 1).
        generator: latents [B, latent_dim] to samples in [-1, 1] (see the part's interface).
        ema: average of the generator's weights that samples are made with, or None.
        seed: the run's seed.

    Raises:
        OptionError: a ``latent_dim`` that is not positive.
    """

    def __init__(
        self, *, latent_dim: int, generator: nn.Module, ema: WeightAverage | None, seed: int
    ) -> None:
        super().__init__(seed=seed)
        require(latent_dim > 0, "latent_dim", latent_dim, "must be at least 1; 100 is usual")
        self.latent_dim, self.generator, self.ema = latent_dim, generator, ema

    @torch.no_grad()
    def sample(
        self, num: int, seed: int, *, ema: bool = True, start: int = 0, truncation: float | None = None
    ) -> Tensor:
        """See :class:`ganvas.model.interface.Samples`."""
        z = self.latents(num, seed, start=start, truncation=truncation)
        return self.generate(z, self.sample_labels(num, seed, start=start), ema=ema)

    def latents(self, num: int, seed: int, *, start: int = 0, truncation: float | None = None) -> Tensor:
        """See :class:`ganvas.model.interface.FromLatents`."""
        rows = (latent(self.latent_dim, hash64(seed, "z", i), truncation) for i in range(start, start + num))
        return torch.stack(list(rows)).to(self.device)

    def sample_labels(self, num: int, seed: int, *, start: int = 0) -> Tensor | None:
        """See :class:`ganvas.model.interface.FromLatents`; conditional generators have ``num_classes``."""
        num_classes = getattr(self.generator, "num_classes", None)
        if num_classes is None:
            return None
        numbers = (hash64(seed, "label", i) % num_classes for i in range(start, start + num))
        return torch.tensor(list(numbers), dtype=torch.int64, device=self.device)

    @torch.no_grad()
    def generate(self, z: Tensor, label: Tensor | None = None, *, ema: bool = True) -> Tensor:
        """See :class:`ganvas.model.interface.FromLatents`."""
        network = self.ema.average if ema and self.ema is not None else self.generator
        with eval_mode(network):
            return network(z, label)
