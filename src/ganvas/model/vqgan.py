"""The VQGAN recipe (Esser 2021, arXiv:2012.09841): a VQ-VAE whose reconstructions must fool a discriminator.

One batch: reconstructions are made once and serve both sides. The discriminator moves first, from the first
batch on, while the weight of its opinion rises from 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils.parametrize import is_parametrized
from torch.optim import Optimizer

from ganvas.errors import require
from ganvas.functional.batch import Batch
from ganvas.functional.modes import eval_mode
from ganvas.functional.random import Draws
from ganvas.functional.schedule import Schedule
from ganvas.model.adversarial_loss.interface import AdversarialLoss
from ganvas.model.adversary import Adversary
from ganvas.model.augment.interface import Augment
from ganvas.model.autoencoder import Autoencoder
from ganvas.model.feature_matching import captured, check_layers, feature_distance
from ganvas.model.gradient_penalty.interface import GradientPenalty
from ganvas.model.head.interface import Head
from ganvas.model.quantizer.interface import Quantizer
from ganvas.model.reconstruction_loss.interface import ReconstructionLoss


class VQGAN(Autoencoder, Adversary):
    """Vector-quantized autoencoder with an adversarial loss.

    Args:
        encoder, quantizer, decoder, reconstruction_loss: see :class:`ganvas.model.vqvae.VQVAE`.
        discriminator, head, adversarial_loss, gradient_penalty, augment, instance_noise: see
            :class:`ganvas.model.gan.GAN`; real samples are the batch, the others its reconstructions, each
            beside its own. It reads no classes.
        adversarial_weight: of the adversarial loss in the autoencoder's, at least 0.
        adaptive: whether that weight is times |gradient of the reconstruction loss| / (|gradient of the
            adversarial one| + 1e-4), at most 1e4, at the weight of the decoder's last layer (equation 7).
        ramp_examples: examples in which the weight rises from 0 along a line; 0: it is whole at once. The
            discriminator learns from the first batch on: one that joins in late and untrained breaks what the
            decoder has learned.
        feature_matching: weight of the distance of the discriminator's features
            (:mod:`ganvas.model.feature_matching`), at least 0; it rises as the adversarial loss's does, and
            nothing balances it.
        optimizer: of encoder, quantizer and decoder; parameters to a torch optimizer.
        discriminator_optimizer: likewise.
        grad_clip: largest gradient norm of each of the two, or None.
        seed: the run's seed.

    Raises:
        OptionError: a weight or a ramp below 0, an adaptive weight with a decoder of no layers, or parts that
            do not fit each other.
    """

    reports = (
        *("loss/reconstruction", "loss/reconstruction/", "loss/quantizer", "loss/adversarial"),
        "loss/feature_matching",
        *("loss/discriminator", "loss/generator", "loss/gradient_penalty", "augment/", "weight/adversarial"),
        *("gradient_norm/autoencoder", "gradient_norm/discriminator", "logits/real", "logits/fake"),
        *("accuracy/real", "accuracy/fake", "accuracy/pairs"),
        *("learning_rate/autoencoder", "learning_rate/discriminator"),
        *("validation/reconstruction_loss", "validation/reconstruction_loss/", *Autoencoder.reports),
    )

    adversarial_weight: float

    def __init__(
        self,
        *,
        encoder: nn.Module,
        quantizer: Quantizer,
        decoder: nn.Module,
        discriminator: nn.Module,
        head: Callable[..., Head],
        reconstruction_loss: ReconstructionLoss,
        adversarial_loss: AdversarialLoss,
        gradient_penalty: GradientPenalty | None,
        augment: Augment | None,
        instance_noise: float | Schedule,
        adversarial_weight: float | Schedule,
        adaptive: bool,
        ramp_examples: int,
        optimizer: Callable[[Any], Optimizer],
        discriminator_optimizer: Callable[[Any], Optimizer],
        grad_clip: float | None,
        seed: int,
        feature_matching: float = 0.0,
    ) -> None:
        super().__init__(encoder=encoder, quantizer=quantizer, decoder=decoder, seed=seed)
        self.reconstruction_loss = reconstruction_loss
        self.set_adversary(
            discriminator=discriminator,
            head=head,
            num_classes=None,
            adversarial_loss=adversarial_loss,
            gradient_penalty=gradient_penalty,
            regularizer=None,
            augment=augment,
            instance_noise=instance_noise,
        )
        rule = "must be 0 or more; 0.1 is usual where it is not adaptive, 0.8 where it is"
        self.set_number("adversarial_weight", adversarial_weight, lambda weight: weight >= 0, rule)
        rule = "must be 0 or more; 0: the weight is whole from the first batch on"
        require(ramp_examples >= 0, "ramp_examples", ramp_examples, rule)
        rule = "must be 0 or more; EnCodec has 4 beside an adversarial weight of 4"
        require(0 <= feature_matching < math.inf, "feature_matching", feature_matching, rule)
        self.feature_matching = feature_matching
        self.adaptive, self.ramp_examples = adaptive, ramp_examples
        # in a tuple, where torch does not take them for the recipe's own
        self._layers = tuple(one for one in decoder.modules() if isinstance(one, nn.Linear | _ConvNd))
        rule = "has no linear layer and no convolution whose gradients could be weighed; model.adaptive=false"
        require(bool(self._layers) or not adaptive, "decoder", type(decoder).__name__, rule)
        networks = ["encoder", "quantizer", "decoder"]
        self.add_optimizer("autoencoder", optimizer, networks, grad_clip=grad_clip)
        self.add_discriminator(discriminator_optimizer, grad_clip)
        self.log_period = 1 if gradient_penalty is None else gradient_penalty.interval

    def step(self, batch: Batch, draws: Draws) -> None:
        real = batch.x
        fake, codes = self.autoencode(real)  # [B, ...]
        distance, terms = self.reconstruction_loss.with_terms(reconstruction=fake, target=real)
        made = fake.detach()
        taken = real if self.augment is None else self.augment.replace(real, made, draws)
        self.descend("discriminator", self.judge(taken, made, None, draws)[0])

        with self.frozen("discriminator"):
            with self._listening() as features:
                logits = self.discriminator(self.show(fake, draws, "fake/generator"))
            loss = self.adversarial_loss.generator(
                real_logits=self.real_logits(real, None, draws), fake_logits=logits
            )
            weight = self._weight(distance, loss)
            self.note({f"loss/reconstruction/{name}": term for name, term in terms.items()})
            self.note({"loss/generator": loss, "weight/adversarial": weight})
            self.note_codes(codes)
            losses = {
                "loss/reconstruction": distance,
                "loss/quantizer": codes.loss,
                "loss/adversarial": weight * loss,
            }
            if self.feature_matching:
                matching = feature_distance(real=self._features(real, draws), fake=features)
                losses["loss/feature_matching"] = self.feature_matching * self._rise * matching
            self.descend("autoencoder", losses)

    @property
    def last(self) -> Tensor:
        """The weight of the decoder's last layer, the linear one or convolution that it made last.

        Of a parametrized one, e.g. by weight norm, the largest tensor that it is made of: the weight itself
        is made anew at every pass.
        """
        layer = self._layers[-1]
        if not is_parametrized(layer, "weight"):
            return layer.weight
        own = layer.parametrizations["weight"].parameters()  # type: ignore[union-attr,index]
        return max(own, key=torch.numel)

    def out_of_reach(self, batches: int, examples: int) -> list[str]:
        """See :class:`ganvas.model.training.lifecycle.Lifecycle`: a weight that never is whole."""
        lines = super().out_of_reach(batches, examples)
        if self.ramp_examples > examples:
            rule = f"the adversarial weight rises to {examples / self.ramp_examples:.2g} of its own"
            lines.append(
                f"model.ramp_examples={self.ramp_examples}: {rule} in this run of {examples:,} examples"
            )
        return lines

    @torch.no_grad()
    def check_sample(self, x: Tensor) -> None:
        """Raises OptionError unless the networks fit samples like ``x`` [B, ...] and each other."""
        super().check_sample(x)
        if self.feature_matching:
            with eval_mode(self.discriminator):
                check_layers(self.discriminator, x)

    @property
    def _rise(self) -> float:
        """Share of their weights that the discriminator's losses have by now."""
        return min(1.0, self.examples_seen / self.ramp_examples) if self.ramp_examples else 1.0

    def _listening(self) -> AbstractContextManager[list[Tensor]]:
        """What the discriminator's layers make meanwhile, where it is compared."""
        return captured(self.discriminator) if self.feature_matching else nullcontext([])

    @torch.no_grad()
    def _features(self, real: Tensor, draws: Draws) -> list[Tensor]:
        """The discriminator's, shown the originals as it is their reconstructions."""
        with captured(self.discriminator) as features:
            self.discriminator(self.show(real, draws, "fake/generator"))
        return features

    def _weight(self, distance: Tensor, adversarial: Tensor) -> Tensor:
        """Of the adversarial loss on this batch; a scalar without gradient."""
        weight = torch.full_like(distance.detach(), self.adversarial_weight * self._rise)
        if not self.adaptive:
            return weight
        wanted, unbalanced = (one.norm() for one in self.gradients_at(self.last, distance, adversarial))
        return weight * (wanted / (unbalanced + 1e-4)).clamp(max=1e4)
