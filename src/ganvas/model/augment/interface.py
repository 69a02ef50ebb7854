"""What a recipe asks of an augmentation of the adversarial game."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from ganvas.errors import require
from ganvas.functional.contracts import put_contracts, unlike
from ganvas.functional.precision import at_least_float32
from ganvas.functional.random import Draws


class Augment(nn.Module, ABC):
    """What the discriminator is shown of samples, real and generated alike.

    It is differentiable with respect to samples, so that the generator learns through it (Zhao 2020,
    arXiv:2006.10738; Karras 2020, arXiv:2006.06676). Nothing else that reads samples (images, metrics,
    validation) sees it.

    Attributes:
        adapts: whether :meth:`observe` wants the signs of the discriminator's logits.
    """

    adapts: bool = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        put_contracts(cls, forward=_keeps_shape, replace=_replaces_alike)

    @abstractmethod
    def forward(self, x: Tensor, draws: Draws, purpose: str) -> Tensor:
        """Samples [B, C, H, W] in [-1, 1] to what the discriminator sees of them, of the same shape and type.

        Values may leave [-1, 1]: brightness and noise are not clipped. What a part computes, it computes in
        at least float32 and without autocast: the interface sees to it.

        Args:
            x: samples, with or without a graph.
            draws: this step's randomness; a sample's change depends on its row of the global batch alone.
            purpose: what these samples are; each purpose ("real", "fake", "fake/generator") has draws of its
                own.

        Raises:
            ValueError: a result of another shape.
        """

    def replace(self, real: Tensor, fake: Tensor, draws: Draws) -> Tensor:
        """The real batch that the discriminator is trained with; ``real`` as it is, unless a part says else.

        Args:
            real: real samples [B, C, H, W].
            fake: generated samples of the same shape, detached.
            draws: this step's randomness.

        Raises:
            ValueError: ``real`` and ``fake`` of two shapes.
        """
        if real.shape != fake.shape:
            raise unlike(real=real, fake=fake)
        del draws
        return real

    def observe(self, sign: Tensor, examples: int) -> None:
        """Called after each step of the discriminator where the part :attr:`adapts`.

        Args:
            sign: the mean of sign(D(real) - b) over the whole global batch, b the loss's ``boundary``: a
                scalar in [-1, 1] without a graph, on the module's device; the host does not read it.
            examples: size of the global batch.
        """

    def report(self) -> dict[str, Tensor]:
        """What the logs show of its state, by name: scalars without a graph."""
        return {}

    def out_of_reach(self, batches: int, examples: int) -> list[str]:
        """What its options keep a run of so many batches from, a line each: ``option=value: ...``."""
        del batches, examples
        return []

    def check(self, x: Tensor) -> None:
        """Raises OptionError where samples like ``x`` [B, ...] cannot be augmented."""


def require_images(augment: nn.Module, x: Tensor) -> None:
    """Raises OptionError unless samples ``x`` are images [B, C, H, W]."""
    rule = f"changes images [C, H, W], and a sample here is {list(x.shape[1:])}; model/augment=none"
    require(x.ndim == 4, "augment", type(augment).__name__, rule)


def _keeps_shape(forward: Any) -> Any:
    def checked(self: Augment, x: Tensor, draws: Draws, purpose: str) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            shown: Tensor = forward(self, at_least_float32(x), draws, purpose)
        if shown.shape != x.shape:
            raise unlike(samples=x, augmented=shown)
        return shown.to(x.dtype)

    return checked


def _replaces_alike(replace: Any) -> Any:
    def checked(self: Augment, real: Tensor, fake: Tensor, draws: Draws) -> Tensor:
        if real.shape != fake.shape:
            raise unlike(real=real, fake=fake)
        shown: Tensor = replace(self, real, fake, draws)
        return shown

    return checked
