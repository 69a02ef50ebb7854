"""What a recipe asks of a regularizer of the adversarial game, several of which may stand side by side."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from ganvas.errors import require
from ganvas.functional.random import Draws
from ganvas.functional.schedule import Scheduled


@dataclass(frozen=True)
class Game:
    """One step of the adversarial game, as its regularizers see it.

    Attributes:
        z: latents [B, latent_dim].
        made: G(z) [B, ...]; detached in the discriminator's step.
        real: real samples [B, ...] as the discriminator is shown them: augmented; in the generator's step as
            they are.
        fake: generated ones as the discriminator is shown them.
        real_logits: of ``real``, [B]; None in a generator's step whose loss does not read them.
        fake_logits: of ``fake``, [B].
        discriminate: what the discriminator is shown, [B, ...], to logits; the batch's labels are bound.
        generate: latents [B, latent_dim] in place of ``z`` to samples, of the batch's labels, with what the
            generator drew for ``z``.
        show: generated samples to what the discriminator is shown of them.
        generator: the network itself, for what reads more of it than samples.
        label: int64 [B], or None.
        draws: this step's randomness.
        examples_seen: before this batch.
        whole_batch: values [B] of these samples to those of all ranks' and micro-batches', detached.
    """

    z: Tensor
    made: Tensor
    real: Tensor
    fake: Tensor
    real_logits: Tensor | None
    fake_logits: Tensor
    discriminate: Callable[[Tensor], Tensor]
    generate: Callable[[Tensor], Tensor]
    show: Callable[[Tensor], Tensor]
    generator: nn.Module
    label: Tensor | None
    draws: Draws
    examples_seen: int
    whole_batch: Callable[[Tensor], Tensor]


class Regularizer(nn.Module, Scheduled, ABC):
    """Terms of the losses beside the adversarial one; a subclass overrides what it adds.

    State lies in buffers and moves in :meth:`observe` alone, so that micro-batches, ranks and steps that are
    left out change it as one step on the whole batch does. A term reads the state from before the step.

    Attributes:
        interval: steps of a network from one of its terms to the next (lazy regularization, Karras 2020);
            the part multiplies its terms by it.
        observes: whether :meth:`observe` wants the mean logits.
        differentiates: whether a term differentiates a network twice, as no sharded one can be.
    """

    interval: int = 1
    observes: bool = False
    differentiates: bool = False

    def discriminator(self, game: Game) -> Tensor | None:
        """A scalar that the discriminator descends too."""
        return None

    def generator(self, game: Game) -> Tensor | None:
        """A scalar that the generator descends too."""
        return None

    def choose(self, game: Game) -> tuple[Tensor, float] | None:
        """Which samples the generator's adversarial loss reads, and what its mean over them is times.

        Returns:
            Indices int64 [k] into this share of the batch, and the factor that makes the mean over ranks and
            micro-batches that of all chosen samples; None: all samples.
        """
        return None

    def observe(self, real_logits: Tensor, fake_logits: Tensor) -> None:
        """Called after each step of the discriminator with scalars: the mean logits of the global batch."""

    def out_of_reach(self, examples: int) -> list[str]:
        """What its options keep a run of so many examples from, a line each: ``option=value: ...``."""
        return []

    def check(self, generator: nn.Module, x: Tensor) -> None:
        """Raises OptionError where it cannot work with this generator, or samples like ``x`` [B, ...]."""


def require_images(option: str, x: Tensor) -> None:
    """Raises OptionError unless samples ``x`` are images [B, C, H, W]."""
    rule = f"changes images [C, H, W], and a sample here is {list(x.shape[1:])}; leave it out"
    require(x.ndim == 4, option, list(x.shape[1:]), rule)
