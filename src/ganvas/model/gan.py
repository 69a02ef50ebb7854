"""The GAN recipe: alternating steps of a discriminator and a generator.

One batch: the generator's fakes are made once and serve both networks (Radford 2015's loop); the
discriminator steps on every batch, the generator on every ``d_steps_per_g_step``-th.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganvas.errors import require
from ganvas.functional.batch import Batch
from ganvas.functional.modes import eval_mode
from ganvas.functional.precision import widened
from ganvas.functional.random import Draws
from ganvas.model.adversarial_loss.interface import AdversarialLoss
from ganvas.model.critic import Critic
from ganvas.model.ema.interface import WeightAverage
from ganvas.model.gradient_penalty.interface import GradientPenalty
from ganvas.model.head.interface import Head
from ganvas.model.latent_generator import LatentGenerator


class GAN(LatentGenerator):
    """Generative adversarial network (Goodfellow 2014, arXiv:1406.2661) with exchangeable parts.

    Args:
        latent_dim: length of the latent vector, drawn from N(0, 1).
        generator: latents [B, latent_dim] to samples in [-1, 1] (see the part's interface).
        discriminator: samples to features [B, F], ``feature_dim`` of them (see the part's interface).
        head: makes of ``feature_dim`` and ``num_classes`` the head, features to logits [B].
        conditional: samples are asked for by class: generator and head get the labels.
        num_classes: K, classes of the data; None where they have none, or where it is not said how many.
        adversarial_loss: both sides' losses.
        gradient_penalty: added to the discriminator's loss, or None.
        ema: average of the generator's weights that images and metrics use, or None.
        generator_optimizer: parameters to a torch optimizer.
        discriminator_optimizer: likewise.
        d_steps_per_g_step: batches (discriminator steps) per generator step; 5 is usual for critics.
        grad_clip: largest gradient norm of each network, or None.
        seed: the run's seed.

    Raises:
        OptionError: sizes that are not positive; ``conditional`` without classes, or parts that read none.
    """

    reports = (
        *(
            "loss/discriminator",
            "loss/generator",
            "loss/gradient_penalty",
            "loss/class_real",
            "loss/class_fake",
        ),
        *("gradient_norm/discriminator", "gradient_norm/generator", "logits/real", "logits/fake"),
        *("accuracy/real", "accuracy/fake", "accuracy/pairs"),
        *("learning_rate/discriminator", "learning_rate/generator"),
        *("validation/real_logits", "validation/real_accuracy"),
    )

    def __init__(
        self,
        *,
        latent_dim: int,
        generator: nn.Module,
        discriminator: nn.Module,
        head: Callable[..., Head],
        conditional: bool,
        num_classes: int | None,
        adversarial_loss: AdversarialLoss,
        gradient_penalty: GradientPenalty | None,
        ema: WeightAverage | None,
        generator_optimizer: Callable[[Any], Optimizer],
        discriminator_optimizer: Callable[[Any], Optimizer],
        d_steps_per_g_step: int,
        grad_clip: float | None,
        seed: int,
    ) -> None:
        super().__init__(latent_dim=latent_dim, generator=generator, ema=ema, seed=seed)
        require(d_steps_per_g_step > 0, "d_steps_per_g_step", d_steps_per_g_step, "must be at least 1")
        self.conditional = conditional
        rule = "asks for classes, and data.num_classes is null; say how many there are: data.num_classes=10"
        require(not conditional or num_classes is not None, "conditional", conditional, rule)
        classes = num_classes if conditional else None
        features = getattr(discriminator, "feature_dim", None)
        rule = "has no feature_dim: a discriminator makes features, and says how many; the head makes logits"
        require(isinstance(features, int), "discriminator", type(discriminator).__name__, rule)
        self.discriminator = Critic(discriminator, head(features, num_classes=classes))
        self._check_conditional()
        self.adversarial_loss, self.gradient_penalty = adversarial_loss, gradient_penalty
        self.d_steps_per_g_step = d_steps_per_g_step
        self.generator_optimizer, self.discriminator_optimizer = generator_optimizer, discriminator_optimizer
        self.add_optimizer(
            "generator",
            generator_optimizer,
            ["generator"],
            option="generator_optimizer",
            grad_clip=grad_clip,
            average=ema,
            interval=d_steps_per_g_step,
            interval_option="d_steps_per_g_step",
            after_step=getattr(type(generator), "after_step", None),
        )
        self.add_optimizer(
            "discriminator",
            discriminator_optimizer,
            ["discriminator"],
            option="discriminator_optimizer",
            grad_clip=grad_clip,
            after_step=adversarial_loss.constrain,
        )
        self.log_period = math.lcm(d_steps_per_g_step, gradient_penalty.interval if gradient_penalty else 1)
        if gradient_penalty is not None and any(_is_batch_norm(m) for m in discriminator.modules()):
            warnings.warn(
                "a gradient penalty is per sample, and BatchNorm in the discriminator couples the samples of "
                "a batch (Gulrajani 2017, section 4); model.discriminator.norm=none or spectral",
                stacklevel=2,
            )

    def step(self, batch: Batch, draws: Draws) -> None:
        real, label = batch
        steps_generator = self.every(self.d_steps_per_g_step)
        z = draws.normal("latent", len(real), self.latent_dim)  # [B, latent_dim]
        with torch.set_grad_enabled(steps_generator):
            fake = self.generator(z, label)  # [B, ...] in [-1, 1]

        real_logits, class_loss = self.discriminator(real, label, class_loss=True)
        fake_logits = self.discriminator(fake.detach(), label)
        loss = self.adversarial_loss.discriminator(real_logits=real_logits, fake_logits=fake_logits)
        terms = {"loss/discriminator": loss}
        if class_loss is not None:
            terms["loss/class_real"] = class_loss
        if self.gradient_penalty is not None and self.every(self.gradient_penalty.interval):
            terms["loss/gradient_penalty"] = self.gradient_penalty(
                lambda x: self.discriminator(x, label), real=real, fake=fake.detach(), draws=draws
            )
        if self.log_due:
            self.note(_statistics(real_logits.detach(), fake_logits.detach()))
        self.descend("discriminator", terms)

        if steps_generator:
            with self.frozen("discriminator"):
                fake_logits, class_loss = self.discriminator(fake, label, class_loss=True)
                loss = self.adversarial_loss.generator(
                    real_logits=self._real_logits(real, label), fake_logits=fake_logits
                )
                terms = {"loss/generator": loss}
                if class_loss is not None:
                    terms["loss/class_fake"] = class_loss
                self.descend("generator", terms)

    def _check_conditional(self) -> None:
        """Raises OptionError unless both networks read labels where the model is conditional."""
        if not self.conditional:
            return
        rule = "reads no labels, and model.conditional=true asks for classes; choose"
        head = type(self.discriminator.head).__name__
        require(self.discriminator.head.reads_labels, "head", head, f"{rule} model/head=projection or acgan")
        reads = getattr(self.generator, "num_classes", None) is not None
        require(reads, "generator", type(self.generator).__name__, f"{rule} a generator with num_classes")

    @torch.no_grad()
    def _real_logits(self, real: Tensor, label: Tensor | None) -> Tensor | None:
        """[B], where the generator's loss wants them; they move no generator parameter."""
        return self.discriminator(real, label) if self.adversarial_loss.needs_real_logits else None

    @property
    def generator_steps(self) -> int:
        """Steps of the generator that came due so far; skipped ones count, as in ``global_step``."""
        return self.batches_seen // self.d_steps_per_g_step

    def out_of_reach(self, batches: int, examples: int) -> list[str]:
        """See :class:`ganvas.model.training.lifecycle.Lifecycle`."""
        lines = [f"model.ema.{line}" for line in self.ema.out_of_reach(examples)] if self.ema else []
        interval = 1 if self.gradient_penalty is None else self.gradient_penalty.interval
        if interval > batches:
            rule = f"the penalty comes once in {interval} batches, and the run ends after {batches}, without"
            lines.append(f"model.gradient_penalty.interval={interval}: {rule}")
        return lines

    def why_not_sharded(self) -> str | None:
        if self.gradient_penalty is None:
            return None
        return "cannot differentiate twice; model/gradient_penalty=none, or accelerator.strategy=ddp"

    def discriminate(self, x: Tensor, label: Tensor | None) -> Tensor:
        """See :class:`ganvas.model.interface.Discriminates`."""
        return self.discriminator(x, label)

    def validation_sums(self, batch: Batch) -> dict[str, Tensor]:
        """The discriminator on held-out samples: where it falls behind training, it has memorized."""
        logits = widened(self.discriminator(batch.x, batch.label))
        return {"real_logits": logits.sum(), "real_accuracy": (logits > 0).sum()}

    @torch.no_grad()
    def check_sample(self, x: Tensor) -> None:
        """Raises OptionError unless the networks fit samples like ``x`` [B, ...]."""
        super().check_sample(x)
        with eval_mode(self.discriminator):
            features = self.discriminator.network(x)
        wanted = [len(x), self.discriminator.head.feature_dim]
        rule = f"must return features of shape [B, feature_dim], here {wanted}; the head makes logits of them"
        require(list(features.shape) == wanted, "discriminator", list(features.shape), rule)


def _statistics(real_logits: Tensor, fake_logits: Tensor) -> dict[str, Tensor]:
    """What the logs show of logits [B] of paired samples; equal logits of a pair count half."""
    return {
        "logits/real": real_logits.mean(),
        "logits/fake": fake_logits.mean(),
        "accuracy/real": (real_logits > 0).float().mean(),
        "accuracy/fake": (fake_logits <= 0).float().mean(),
        "accuracy/pairs": ((real_logits - fake_logits).sign().mean() + 1) / 2,
    }


def _is_batch_norm(module: nn.Module) -> bool:
    return isinstance(module, nn.modules.batchnorm._BatchNorm)
