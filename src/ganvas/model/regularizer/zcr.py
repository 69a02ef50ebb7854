"""Latent consistency regularization (Zhao 2021, arXiv:2002.04724, algorithm 2)."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.errors import require_number
from ganvas.functional.schedule import Schedule
from ganvas.model.regularizer.consistency import mean_square
from ganvas.model.regularizer.interface import Game, Regularizer


class ZCR(Regularizer):
    """Latents that lie side by side look alike to D, and G makes different samples of them.

        D: discriminator_weight E (D(G(z)) - D(G(z + noise u)))^2
        G: -generator_weight E |G(z) - G(z + noise u)|^2 / (elements of a sample), u from N(0, 1)

    Args:
        discriminator_weight: lambda_dis of the paper.
        generator_weight: lambda_gen of the paper.
        noise: standard deviation of the change of z.

    Raises:
        OptionError: a weight is negative, or ``noise`` not positive.
    """

    discriminator_weight: float
    generator_weight: float

    def __init__(
        self,
        discriminator_weight: float | Schedule = 20.0,
        generator_weight: float | Schedule = 0.5,
        noise: float = 0.05,
    ) -> None:
        super().__init__()
        rule = "must be 0 or more"
        self.set_number("discriminator_weight", discriminator_weight, lambda value: value >= 0, rule)
        self.set_number("generator_weight", generator_weight, lambda value: value >= 0, rule)
        require_number("noise", noise, "leave zcr out", positive=True)
        self.noise = noise

    def discriminator(self, game: Game) -> Tensor | None:
        if self.discriminator_weight == 0:
            return None
        with torch.no_grad():
            beside = game.show(game.generate(self._beside(game)))
        return self.discriminator_weight * mean_square(game.fake_logits, game.discriminate(beside))

    def generator(self, game: Game) -> Tensor | None:
        if self.generator_weight == 0:
            return None
        return -self.generator_weight * mean_square(game.made, game.generate(self._beside(game)))

    def _beside(self, game: Game) -> Tensor:
        return game.z + self.noise * game.draws.normal("zcr", *game.z.shape).to(game.z.dtype)
