"""The minimax loss (Goodfellow 2014, arXiv:1406.2661, equation 1)."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from ganvas.model.adversarial_loss.interface import AdversarialLoss


class Saturating(AdversarialLoss):
    """Discriminator: E softplus(-D(x)) + E softplus(D(G(z))); generator: -E softplus(D(G(z))).

    The generator descends log(1 - D) itself. Where the discriminator is sure of a fake, with a logit f far
    below zero, its gradient -sigmoid(f) vanishes; ``non_saturating`` has the remedy.
    """

    def discriminator(self, *, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return softplus(-real_logits).mean() + softplus(fake_logits).mean()

    def generator(self, *, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return -softplus(fake_logits).mean()
