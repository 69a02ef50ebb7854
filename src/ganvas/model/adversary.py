"""The discriminator's side of an adversarial game: what recipes with one share, whatever makes samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganvas.errors import OptionError, require
from ganvas.functional.modes import eval_mode
from ganvas.functional.patches import mean_of_samples
from ganvas.functional.random import Draws
from ganvas.functional.schedule import Schedule, Scheduled
from ganvas.model.adversarial_game import MeanLogits, Regularizers, statistics_of_logits
from ganvas.model.adversarial_loss.interface import AdversarialLoss
from ganvas.model.augment.interface import Augment
from ganvas.model.critic import Critic
from ganvas.model.gradient_penalty.interface import GradientPenalty
from ganvas.model.head.interface import Head
from ganvas.model.regularizer.interface import Regularizer
from ganvas.model.training.recipe import Recipe

# What is reported of a part, and of a loss that has a boundary.
_TAGS = {
    "gradient_penalty": "loss/gradient_penalty",
    "regularizer": "loss/regularizer/",
    "augment": "augment/",
}
_OF_BOUNDARY = {"accuracy/real", "accuracy/fake", "validation/real_accuracy"}


class Judged(NamedTuple):
    """Samples [B, ...] as the discriminator was shown them in its step, and what it said of them."""

    real: Tensor
    fake: Tensor
    real_logits: Tensor
    fake_logits: Tensor


class Adversary(Recipe, Scheduled):
    """A recipe with a discriminator; what makes the samples, and how that is trained, is the subclass's.

    A subclass calls :meth:`set_adversary` after its networks are set, and :meth:`add_discriminator`.
    """

    instance_noise: float

    @classmethod
    def reported_with(cls, parts: Mapping[str, type | None]) -> tuple[str, ...]:
        """See :class:`ganvas.model.training.lifecycle.Lifecycle`."""
        left_out = {part for part, kind in parts.items() if kind is None}
        absent = {tag for part, tag in _TAGS.items() if part in left_out}
        if getattr(parts.get("adversarial_loss"), "boundary", 0.0) is None:
            absent |= _OF_BOUNDARY
        return tuple(tag for tag in super().reported_with(parts) if tag not in absent)

    def set_adversary(
        self,
        *,
        discriminator: nn.Module,
        head: Callable[..., Head],
        num_classes: int | None,
        adversarial_loss: AdversarialLoss,
        gradient_penalty: GradientPenalty | None,
        regularizer: Mapping[str, Regularizer] | None,
        augment: Augment | None,
        instance_noise: float | Schedule,
    ) -> None:
        """Sets the parts of the game: see :class:`ganvas.model.gan.GAN`.

        Args:
            num_classes: classes that the head reads, or None.

        Raises:
            OptionError: a discriminator that makes no features, or parts that do not fit each other, as an
                augmentation that adapts does not fit a loss without a boundary.
        """
        features = getattr(discriminator, "feature_dim", None)
        rule = "has no feature_dim: a discriminator makes features, and says how many; the head makes logits"
        require(isinstance(features, int), "discriminator", type(discriminator).__name__, rule)
        self.discriminator = Critic(discriminator, _made(head, features, num_classes))
        self.adversarial_loss, self.gradient_penalty = adversarial_loss, gradient_penalty
        self.regularizer, self.augment = Regularizers(regularizer), augment
        rule = "must be 0 or more; 0 adds none"
        self.set_number("instance_noise", instance_noise, lambda deviation: deviation >= 0, rule)
        self._noisy = "instance_noise" in self.schedules or self.instance_noise > 0
        self._observes = self.regularizer.observes or (augment is not None and augment.adapts)
        boundary = adversarial_loss.boundary
        rule = "follows the signs of D's logits, and {} fixes none that parts real from generated samples; "
        rule += "adapt=false with a p above 0, or model/adversarial_loss=non_saturating"
        fixes = boundary is not None or augment is None or not augment.adapts
        require(fixes, "augment", type(augment).__name__, rule.format(type(adversarial_loss).__name__))
        self.mean_logits = MeanLogits(boundary or 0.0) if self._observes else None

    def add_discriminator(self, optimizer: Callable[[Any], Optimizer], grad_clip: float | None) -> None:
        """Has the optimizer ``discriminator`` move it."""
        self.add_optimizer(
            "discriminator",
            optimizer,
            ["discriminator"],
            option="discriminator_optimizer",
            grad_clip=grad_clip,
            after_step=self._after_discriminator if self._observes else self.adversarial_loss.constrain,
            beside=[name for name in ("mean_logits", "regularizer", "augment") if getattr(self, name)],
        )

    def judge(
        self, real: Tensor, fake: Tensor, label: Tensor | None, draws: Draws
    ) -> tuple[dict[str, Tensor], Judged]:
        """What the discriminator descends: adversarial loss, classes, gradient penalty.

        Args:
            real, fake: samples [B, ...], detached from what made them.
            label: int64 [B], where it reads them.
        """
        penalty = self.gradient_penalty
        if penalty is not None and not self.every(penalty.interval):
            penalty = None
        if penalty is not None:  # its gradients are taken of the logits that the loss reads, where it may
            real = real.detach().requires_grad_("real" in penalty.at)
            fake = fake.detach().requires_grad_("fake" in penalty.at)
        shown_real, shown_fake = self.show(real, draws, "real"), self.show(fake, draws, "fake")
        real_logits, class_loss = self.discriminator(shown_real, label, class_loss=True)
        fake_logits = self.discriminator(shown_fake, label)
        loss = self.adversarial_loss.discriminator(real_logits=real_logits, fake_logits=fake_logits)
        terms = {"loss/discriminator": loss}
        if class_loss is not None:
            terms["loss/class_real"] = class_loss
        if penalty is not None:

            def logits_of(x: Tensor) -> Tensor:
                if x is real or x is fake:
                    return real_logits if x is real else fake_logits
                logits: Tensor = self.discriminator(self.show(x, draws, "penalty"), label)
                return logits

            terms["loss/gradient_penalty"] = penalty(logits_of, real=real, fake=fake, draws=draws)
        if self.mean_logits is not None:
            self.mean_logits.add(real_logits, fake_logits)
        if self.log_due:
            boundary = self.adversarial_loss.boundary
            self.note(statistics_of_logits(real_logits.detach(), fake_logits.detach(), boundary))
            if self.augment is not None:
                self.note(self.augment.report())
        return terms, Judged(shown_real, shown_fake, real_logits, fake_logits)

    def show(self, x: Tensor, draws: Draws, purpose: str) -> Tensor:
        """Samples [B, ...] as the discriminator is shown them in training: augmented, with noise."""
        if self.augment is not None:
            x = self.augment(x, draws, purpose)
        if self._noisy:
            x = x + self.instance_noise * draws.normal(f"noise/{purpose}", *x.shape).to(x.dtype)
        return x

    @torch.no_grad()
    def real_logits(self, real: Tensor, label: Tensor | None, draws: Draws) -> Tensor | None:
        """[B], where the loss of what makes the samples wants them; they move none of its parameters."""
        if not self.adversarial_loss.needs_real_logits:
            return None
        return self.discriminator(self.show(real, draws, "real/generator"), label)

    def _after_discriminator(self, critic: nn.Module) -> None:
        """What is done after each of its steps: its weights are kept in bounds, its logits observed."""
        if self.adversarial_loss.constrain is not None:
            self.adversarial_loss.constrain(critic)
        assert self.mean_logits is not None
        real, fake, sign = self.mean_logits.take()
        self.regularizer.observe(real, fake)
        if self.augment is not None and self.augment.adapts:
            self.augment.observe(sign, self.global_batch_size)

    def remarks(self) -> list[str]:
        """See :class:`ganvas.model.training.lifecycle.Lifecycle`."""
        found = super().remarks()
        if self.gradient_penalty is not None and any(map(_is_batch_norm, self.discriminator.modules())):
            reason = "it is of single samples, and BatchNorm in the discriminator couples those of a"
            name = type(self.gradient_penalty).__name__
            mend = "model.discriminator.norm=none or spectral"
            found.append(f"model.gradient_penalty={name}: {reason} batch (Gulrajani 2017, section 4); {mend}")
        return found

    def out_of_reach(self, batches: int, examples: int) -> list[str]:
        """See :class:`ganvas.model.training.lifecycle.Lifecycle`."""
        lines = super().out_of_reach(batches, examples)
        lines += [f"model.regularizer.{line}" for line in self.regularizer.out_of_reach(examples)]
        late = self.augment.out_of_reach(batches, examples) if self.augment else []
        lines += [f"model.augment.{line}" for line in late]
        interval = 1 if self.gradient_penalty is None else self.gradient_penalty.interval
        if interval > batches:
            rule = f"the penalty comes once in {interval} batches, and the run ends after {batches}, without"
            lines.append(f"model.gradient_penalty.interval={interval}: {rule}")
        return lines

    def why_not_sharded(self) -> str | None:
        if self.gradient_penalty is not None:
            return "cannot differentiate twice; model/gradient_penalty=none, or accelerator.strategy=ddp"
        if self.regularizer.differentiates:
            return "cannot differentiate twice; no model/regularizer=path_length, or accelerator.strategy=ddp"
        return super().why_not_sharded()

    def discriminate(self, x: Tensor, label: Tensor | None) -> Tensor:
        """See :class:`ganvas.model.interface.Discriminates`."""
        return mean_of_samples(self.discriminator(x, label))

    @torch.no_grad()
    def check_sample(self, x: Tensor) -> None:
        """Raises OptionError unless the discriminator, and what it is shown, fit samples like ``x``."""
        super().check_sample(x)
        if self.augment is not None:
            self.augment.check(x)
        with eval_mode(self.discriminator):
            self.discriminator.check(x)


def _made(head: Callable[..., Head], features: int | None, classes: int | None) -> Head:
    try:
        return head(features, num_classes=classes)
    except OptionError as error:
        raise error.under("head") from None


def _is_batch_norm(module: nn.Module) -> bool:
    return isinstance(module, nn.modules.batchnorm._BatchNorm)
