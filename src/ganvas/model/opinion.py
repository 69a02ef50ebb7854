"""What a discriminator says beside a reconstruction loss, and its weight (arXiv:2012.09841, equation 7)."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils.parametrize import is_parametrized

from ganvas.errors import require
from ganvas.functional.modes import eval_mode
from ganvas.functional.random import Draws
from ganvas.functional.schedule import Schedule
from ganvas.model.adversary import Adversary
from ganvas.model.feature_matching import captured, check_layers, feature_distance


class Opinion(Adversary):
    """A recipe whose samples have an original each: the discriminator is one of several judges of them.

    A subclass calls :meth:`set_opinion` after :meth:`ganvas.model.adversary.Adversary.set_adversary`.
    """

    adversarial_weight: float

    def set_opinion(
        self,
        *,
        adversarial_weight: float | Schedule,
        adaptive: bool,
        ramp_examples: int,
        feature_matching: float,
        decoder: nn.Module,
    ) -> None:
        """Sets the weights: see :class:`ganvas.model.vqgan.VQGAN`; ``decoder`` makes the samples.

        Raises:
            OptionError: a weight or a ramp below 0, or an adaptive weight with a decoder of no layers.
        """
        rule = "must be 0 or more; 0.1 is usual where it is not adaptive, 0.8 where it is"
        self.set_number("adversarial_weight", adversarial_weight, lambda weight: weight >= 0, rule)
        rule = "must be 0 or more; 0: the weight is whole from the first batch on"
        require(ramp_examples >= 0, "ramp_examples", ramp_examples, rule)
        rule = "must be 0 or more; EnCodec has 4 beside an adversarial weight of 4"
        require(0 <= feature_matching < math.inf, "feature_matching", feature_matching, rule)
        self.adaptive, self.ramp_examples, self.feature_matching = adaptive, ramp_examples, feature_matching
        # in a tuple, where torch does not take them for the recipe's own
        self._layers = tuple(one for one in decoder.modules() if isinstance(one, nn.Linear | _ConvNd))
        rule = "has no linear layer and no convolution whose gradients could be weighed; model.adaptive=false"
        require(bool(self._layers) or not adaptive, "decoder", type(decoder).__name__, rule)

    def opinion(self, *, real: Tensor, fake: Tensor, distance: Tensor, draws: Draws) -> dict[str, Tensor]:
        """What the discriminator adds to the loss of what made ``fake``, by tags of the logs.

        Args:
            real: originals [B, ...].
            fake: their reconstructions, with their graph.
            distance: the reconstruction loss, a scalar with its graph.
        """
        with self._listening() as features:
            logits = self.discriminator(self.show(fake, draws, "fake/generator"))
        loss = self.adversarial_loss.generator(
            real_logits=self.real_logits(real, None, draws), fake_logits=logits
        )
        weight = self._weight(distance, loss)
        self.note({"loss/generator": loss, "weight/adversarial": weight})
        terms = {"loss/adversarial": weight * loss}
        if self.feature_matching:
            matching = feature_distance(real=self._features(real, draws), fake=features)
            terms["loss/feature_matching"] = self.feature_matching * self._rise * matching
        return terms

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
