"""The VQGAN recipe (Esser 2021, arXiv:2012.09841): a VQ-VAE whose reconstructions must fool a discriminator.

One batch: reconstructions are made once and serve both sides. The discriminator moves first, from the first
batch on, while the weight of its opinion rises from 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.optim import Optimizer

from ganvas.functional.batch import Batch
from ganvas.functional.random import Draws
from ganvas.functional.schedule import Schedule
from ganvas.model.adversarial_loss.interface import AdversarialLoss
from ganvas.model.augment.interface import Augment
from ganvas.model.autoencoder import Autoencoder
from ganvas.model.gradient_penalty.interface import GradientPenalty
from ganvas.model.head.interface import Head
from ganvas.model.opinion import Opinion
from ganvas.model.quantizer.interface import Quantizer
from ganvas.model.reconstruction_loss.interface import ReconstructionLoss


class VQGAN(Autoencoder, Opinion):
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
        self.set_opinion(
            adversarial_weight=adversarial_weight,
            adaptive=adaptive,
            ramp_examples=ramp_examples,
            feature_matching=feature_matching,
            decoder=decoder,
        )
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
            opinion = self.opinion(real=real, fake=fake, distance=distance, draws=draws)
            self.note({f"loss/reconstruction/{name}": term for name, term in terms.items()})
            self.note_codes(codes)
            losses = {"loss/reconstruction": distance, "loss/quantizer": codes.loss}
            self.descend("autoencoder", losses | opinion)
