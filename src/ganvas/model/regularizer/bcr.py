"""Balanced consistency regularization (Zhao 2021, arXiv:2002.04724, algorithm 1)."""

from __future__ import annotations

from torch import Tensor, nn

from ganvas.functional.schedule import Schedule
from ganvas.model.regularizer.consistency import flip_and_shift, mean_square
from ganvas.model.regularizer.interface import Game, Regularizer, require_images


class BCR(Regularizer):
    """real E (D(x) - D(T x))^2 + fake E (D(G(z)) - D(T G(z)))^2, so that T does not show in samples.

    Args:
        real: weight at real images.
        fake: weight at generated ones.

    Raises:
        OptionError: a weight that is not positive.
    """

    real: float
    fake: float

    def __init__(self, real: float | Schedule = 10.0, fake: float | Schedule = 10.0) -> None:
        super().__init__()
        rule = "must be positive; leave bcr out, or take cr, which has no weight at generated images"
        self.set_strength("real", real, rule)
        self.set_strength("fake", fake, rule)

    def discriminator(self, game: Game) -> Tensor:
        assert game.real_logits is not None
        real = game.discriminate(flip_and_shift(game.real, game.draws, "bcr/real"))
        fake = game.discriminate(flip_and_shift(game.fake, game.draws, "bcr/fake"))
        return self.real * mean_square(game.real_logits, real) + self.fake * mean_square(
            game.fake_logits, fake
        )

    def check(self, generator: nn.Module, x: Tensor) -> None:
        require_images("regularizer.bcr", x)
