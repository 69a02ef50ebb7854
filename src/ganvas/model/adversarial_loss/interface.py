"""What a recipe asks of an adversarial loss."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor


class AdversarialLoss(ABC):
    """Both sides of the game, as functions of logits float [B]; each returns a scalar mean over the batch.

    Attributes:
        needs_real_logits: whether the generator's loss reads the real logits; where it does not, the
            recipe saves a forward pass of the discriminator.
    """

    needs_real_logits: bool = False

    @abstractmethod
    def discriminator(self, *, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """The loss that the discriminator descends."""

    @abstractmethod
    def generator(self, *, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """The loss that the generator descends."""
