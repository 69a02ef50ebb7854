"""The GAN recipe: alternating steps of a discriminator and a generator.

One batch: the generator's fakes are made once and serve both networks (Radford 2015's loop); the
discriminator steps on every batch, the generator on every ``d_steps_per_g_step``-th.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganvas.errors import require, require_whole
from ganvas.functional.batch import Batch
from ganvas.functional.keyed_random import keys_of
from ganvas.functional.precision import widened
from ganvas.functional.random import Draws
from ganvas.functional.schedule import Schedule
from ganvas.model.adversarial_loss.interface import AdversarialLoss
from ganvas.model.adversary import Adversary
from ganvas.model.augment.interface import Augment
from ganvas.model.ema.interface import WeightAverage
from ganvas.model.gradient_penalty.interface import GradientPenalty
from ganvas.model.head.interface import Head
from ganvas.model.latent_generator import LatentGenerator
from ganvas.model.regularizer.interface import Game, Regularizer


class GAN(LatentGenerator, Adversary):
    """Generative adversarial network (Goodfellow 2014, arXiv:1406.2661) with exchangeable parts.

    Args:
        latent_dim: length of the latent vector, drawn from N(0, 1).
        generator: latents [B, latent_dim] to samples in [-1, 1] (see the part's interface).
        discriminator: samples to features [B, F], ``feature_dim`` of them (see the part's interface).
        head: makes of ``feature_dim`` and ``num_classes`` the head, features to logits [B]. Of a
            discriminator of patches, which gives [B, h, w], losses read every logit, and all else the mean.
        conditional: samples are asked for by class: generator and head get the labels.
        num_classes: K, classes of the data; None where they have none, or where it is not said how many.
        adversarial_loss: both sides' losses.
        gradient_penalty: added to the discriminator's loss, or None.
        regularizer: more terms of the losses, by name.
        augment: what the discriminator is shown of samples, or None: samples as they are.
        instance_noise: standard deviation of noise that real and generated samples alike get before the
            discriminator (Sonderby 2017, arXiv:1610.04490; Arjovsky & Bottou 2017), in units of the data.
        ema: average of the generator's weights that images and metrics use, or None.
        generator_optimizer: parameters to a torch optimizer.
        discriminator_optimizer: likewise.
        d_steps_per_g_step: batches (discriminator steps) per generator step; 5 is usual for critics.
        grad_clip: largest gradient norm of each network, or None.
        seed: the run's seed.
        freeze_discriminator_layers: layers of the discriminator, from its input on, that do not move
            (:meth:`ganvas.model.critic.Critic.freeze`).

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
            "loss/regularizer/",
        ),
        *("augment/", "schedule/"),
        *("gradient_norm/discriminator", "gradient_norm/generator", "logits/real", "logits/fake"),
        *("accuracy/real", "accuracy/fake", "accuracy/pairs"),
        *("learning_rate/discriminator", "learning_rate/generator"),
        *("validation/real_logits", "validation/real_accuracy"),
    )

    instance_noise: float

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
        regularizer: Mapping[str, Regularizer] | None = None,
        augment: Augment | None = None,
        instance_noise: float | Schedule = 0.0,
        ema: WeightAverage | None,
        generator_optimizer: Callable[[Any], Optimizer],
        discriminator_optimizer: Callable[[Any], Optimizer],
        d_steps_per_g_step: int,
        grad_clip: float | None,
        seed: int,
        freeze_discriminator_layers: int = 0,
    ) -> None:
        super().__init__(latent_dim=latent_dim, generator=generator, ema=ema, seed=seed)
        require_whole("d_steps_per_g_step", d_steps_per_g_step, 1, "5 is usual for critics")
        self.conditional = conditional
        rule = "asks for classes, and data.num_classes is null; say how many there are: data.num_classes=10"
        require(not conditional or num_classes is not None, "conditional", conditional, rule)
        classes = num_classes if conditional else None
        self.set_adversary(
            discriminator=discriminator,
            head=head,
            num_classes=classes,
            adversarial_loss=adversarial_loss,
            gradient_penalty=gradient_penalty,
            regularizer=regularizer,
            augment=augment,
            instance_noise=instance_noise,
        )
        self.discriminator.freeze(freeze_discriminator_layers)
        self._check_conditional(num_classes)
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
        self.add_discriminator(discriminator_optimizer, grad_clip)
        lazy = gradient_penalty.interval if gradient_penalty else 1
        self.log_period = math.lcm(d_steps_per_g_step * self.regularizer.interval, lazy)

    def step(self, batch: Batch, draws: Draws) -> None:
        real, label = batch
        steps_generator = self.every(self.d_steps_per_g_step)
        z = draws.normal("latent", len(real), self.latent_dim)  # [B, latent_dim]
        with torch.set_grad_enabled(steps_generator):
            fake = self.generator(z, label)  # [B, ...] in [-1, 1]
        taken = real if self.augment is None else self.augment.replace(real, fake.detach(), draws)
        terms, judged = self.judge(taken, fake.detach(), label, draws)
        if self.regularizer:
            shown = judged.real.detach(), judged.fake.detach()
            logits = judged.real_logits, judged.fake_logits
            game = self._game(shown, logits, fake.detach(), z, label, draws)
            terms |= self.regularizer.terms("discriminator", game, self.batches_seen)
        self.descend("discriminator", terms)
        if steps_generator:
            with self.frozen("discriminator"):
                self.descend("generator", self._generator_terms(real, fake, z, label, draws))

    def _generator_terms(
        self, real: Tensor, fake: Tensor, z: Tensor, label: Tensor | None, draws: Draws
    ) -> dict[str, Tensor]:
        """What the generator descends, with the discriminator as its step has left it."""
        shown = self.show(fake, draws, "fake/generator")
        fake_logits, class_loss = self.discriminator(shown, label, class_loss=True)
        real_logits = self.real_logits(real, label, draws)
        share, terms = 1.0, {}
        if self.regularizer:
            game = self._game((real, shown), (real_logits, fake_logits), fake, z, label, draws)
            terms = self.regularizer.terms("generator", game, self.batches_seen // self.d_steps_per_g_step)
            real_logits, fake_logits, share = self.regularizer.chosen(game)
        if len(fake_logits) > 0:
            loss = self.adversarial_loss.generator(real_logits=real_logits, fake_logits=fake_logits)
        else:  # all that were chosen are in other ranks' shares
            loss = fake_logits.sum()
        terms["loss/generator"] = loss if share == 1.0 else share * loss
        if class_loss is not None:
            terms["loss/class_fake"] = class_loss
        return terms

    def _game(
        self,
        shown: tuple[Tensor, Tensor],
        logits: tuple[Tensor | None, Tensor],
        made: Tensor,
        z: Tensor,
        label: Tensor | None,
        draws: Draws,
    ) -> Game:
        (real, fake), (real_logits, fake_logits) = shown, logits

        def generate(latents: Tensor) -> Tensor:
            by_keys = getattr(self.generator, "draws_by_keys", False)
            made: Tensor = self.generator(latents, label, **({"keys": keys_of(z)} if by_keys else {}))
            return made

        return Game(
            z=z,
            made=made,
            real=real,
            fake=fake,
            real_logits=real_logits,
            fake_logits=fake_logits,
            discriminate=lambda x: self.discriminator(x, label),
            generate=generate,
            show=lambda x: self.show(x, draws, "fake/beside"),
            generator=self.generator,
            label=label,
            draws=draws,
            examples_seen=self.examples_seen,
            whole_batch=self.whole_batch,
        )

    def _check_conditional(self, classes: int | None) -> None:
        """Raises OptionError unless both networks read the data's classes; a generator may alone."""
        made = getattr(self.generator, "num_classes", None)
        if not self.conditional:
            fits = made is None or classes is None or made == classes
            rule = f"must be {classes}, those of the data; leave it out, or model.conditional=true"
            require(fits, "generator.num_classes", made, rule)
            return
        rule = "reads no labels, and model.conditional=true asks for classes; choose"
        head = type(self.discriminator.head).__name__
        require(self.discriminator.head.reads_labels, "head", head, f"{rule} model/head=projection or acgan")
        name = type(self.generator).__name__
        require(made is not None, "generator", name, f"{rule} a generator with num_classes")
        rule = f"must be {classes}, those of the model and the data; leave it out"
        require(made == classes, "generator.num_classes", made, rule)

    @property
    def generator_steps(self) -> int:
        """Steps of the generator that came due so far; skipped ones count, as in ``global_step``."""
        return self.batches_seen // self.d_steps_per_g_step

    def out_of_reach(self, batches: int, examples: int) -> list[str]:
        """See :class:`ganvas.model.training.lifecycle.Lifecycle`."""
        lines = super().out_of_reach(batches, examples)
        lines += [f"model.ema.{line}" for line in self.ema.out_of_reach(examples)] if self.ema else []
        return lines

    def discriminate(self, x: Tensor, label: Tensor | None) -> Tensor:
        """See :class:`ganvas.model.interface.Discriminates`; over latents it judges those of x's codes."""
        return super().discriminate(x if self.space is None else self.space.encode(x), label)

    def validation_sums(self, batch: Batch) -> dict[str, Tensor]:
        """The discriminator on held-out samples: where it falls behind training, it has memorized."""
        logits = widened(super().discriminate(batch.x, batch.label))
        boundary, sums = self.adversarial_loss.boundary, {"real_logits": logits.sum()}
        return sums if boundary is None else sums | {"real_accuracy": (logits > boundary).sum()}

    @torch.no_grad()
    def check_sample(self, x: Tensor) -> None:
        """Raises OptionError unless the networks fit samples like ``x`` [B, ...]."""
        super().check_sample(x)
        self.regularizer.check(self.generator, x)
