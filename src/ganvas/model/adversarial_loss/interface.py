"""What a recipe asks of an adversarial loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from ganvas.functional.contracts import put_contracts, unlike
from ganvas.functional.precision import WIDE


class AdversarialLoss(ABC):
    """Both sides of the game, as functions of logits; each returns a scalar mean over them.

    Logits are float [B], or [B, ...] where a discriminator gives several a sample (one a patch, Isola 2017).
    What a subclass writes gets them in float32 (float64 where they are). Real and fake ones have one shape
    but for the number of samples: [B, 1] beside [B] would make B x B pairs, so that raises ValueError.

    Attributes:
        needs_real_logits: whether the generator's loss reads the real logits; where it does not, the
            recipe saves a forward pass of the discriminator.
        constrain: what is done to the discriminator after each of its steps, to keep it in the set that the
            loss is defined for; or None.
        boundary: the logit that the discriminator gives what is as likely real as not; what lies above it is
            called real. None: the loss fixes none, as where differences of logits alone count.
    """

    needs_real_logits: bool = False
    boundary: float | None = 0.0
    constrain: Callable[[nn.Module], None] | None = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        put_contracts(cls, discriminator=_of_logits, generator=_of_logits)

    @abstractmethod
    def discriminator(self, *, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """The loss that the discriminator descends."""

    @abstractmethod
    def generator(self, *, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """The loss that the generator descends."""


def _of_logits(loss: Any) -> Any:
    def checked(self: AdversarialLoss, **logits: Tensor | None) -> Any:
        alike = None
        for name, value in logits.items():
            if value is None:
                continue
            if value.dtype not in WIDE:
                logits[name] = value.float()
            shape = value.shape[1:]
            if value.ndim == 0 or (alike is not None and shape != alike):
                raise unlike(
                    any_number=True, **{name: one for name, one in logits.items() if one is not None}
                )
            alike = shape
        return loss(self, **logits)

    return checked
