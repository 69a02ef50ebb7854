"""Consistency regularization (Zhang 2020, arXiv:1910.12027, equation 3)."""

from __future__ import annotations

from torch import Tensor, nn

from ganvas.functional.schedule import Schedule
from ganvas.model.regularizer.consistency import flip_and_shift, mean_square
from ganvas.model.regularizer.interface import Game, Regularizer, require_images


class CR(Regularizer):
    """weight E (D(x) - D(T x))^2 at real images x; T flips and shifts by up to an eighth of the side.

    Args:
        weight: lambda of the paper.

    Raises:
        OptionError: a ``weight`` that is not positive.
    """

    weight: float

    def __init__(self, weight: float | Schedule = 10.0) -> None:
        super().__init__()
        self.set_strength("weight", weight, "must be positive; leave cr out")

    def discriminator(self, game: Game) -> Tensor:
        assert game.real_logits is not None
        changed = game.discriminate(flip_and_shift(game.real, game.draws, "cr"))
        return self.weight * mean_square(game.real_logits, changed)

    def check(self, generator: nn.Module, x: Tensor) -> None:
        require_images("regularizer.cr", x)
