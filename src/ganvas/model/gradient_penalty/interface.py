"""What a recipe asks of a gradient penalty."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor

from ganvas.functional.random import Draws


class GradientPenalty(ABC):
    """A term of the discriminator's loss that reads its gradient with respect to samples.

    Attributes:
        interval: the term is computed at every ``interval``-th discriminator step (lazy regularization,
            Karras 2020) and is multiplied by it, so that the mean strength does not depend on it.
    """

    interval: int = 1

    @abstractmethod
    def __call__(
        self, discriminator: Callable[[Tensor], Tensor], *, real: Tensor, fake: Tensor, draws: Draws
    ) -> Tensor:
        """The weighted penalty, a scalar with a graph for double backward.

        Args:
            discriminator: samples [B, ...] to logits [B] (labels already bound).
            real: real samples [B, ...], before augmentation.
            fake: generated samples [B, ...], detached.
            draws: this step's randomness.
        """
