"""What a recipe asks of a gradient penalty."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from torch import Tensor

from ganvas.functional.contracts import put_contracts, unlike
from ganvas.functional.random import Draws
from ganvas.functional.schedule import Scheduled

# What is said of a strength that is not.
POSITIVE = "must be positive; model/gradient_penalty=none switches it off"


class GradientPenalty(Scheduled, ABC):
    """A term of the discriminator's loss that reads its gradient with respect to samples.

    Attributes:
        interval: the term is computed at every ``interval``-th discriminator step (lazy regularization,
            Karras 2020) and is multiplied by it, so that the mean strength does not depend on it.
        at: which of ``real`` and ``fake`` it hands to the discriminator as they are. Of these the recipe may
            give the logits that its adversarial loss reads: that saves the penalty's own pass, forward and
            back.
    """

    interval: int = 1
    at: frozenset[str] = frozenset()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        put_contracts(cls, __call__=_of_pairs)

    @abstractmethod
    def __call__(
        self, discriminator: Callable[[Tensor], Tensor], *, real: Tensor, fake: Tensor, draws: Draws
    ) -> Tensor:
        """The weighted penalty, a scalar with a graph for double backward.

        Args:
            discriminator: samples [B, ...] to logits [B] (labels already bound), or [B, ...], one a patch, of
                which a sample's is the mean.
            real: real samples [B, ...], before augmentation; handed on as they are where they are a leaf of
                the graph that requires gradients.
            fake: generated samples [B, ...], detached; likewise.
            draws: this step's randomness.

        Raises:
            ValueError: real and fake samples of two shapes, which would be broadcast.
        """


def _of_pairs(penalty: Any) -> Any:
    def checked(
        self: GradientPenalty, discriminator: Any, *, real: Tensor, fake: Tensor, draws: Draws
    ) -> Any:
        if real.shape[1:] != fake.shape[1:]:
            raise unlike(any_number=True, real=real, fake=fake)
        return penalty(self, discriminator, real=real, fake=fake, draws=draws)

    return checked
