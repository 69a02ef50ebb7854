"""The least squares loss (Mao 2017, arXiv:1611.04076, equation 9: targets 0, 1 and 1)."""

from __future__ import annotations

from torch import Tensor

from ganvas.model.adversarial_loss.interface import AdversarialLoss


class LeastSquares(AdversarialLoss):
    """Discriminator: E (D(x) - 1)^2 / 2 + E D(G(z))^2 / 2; generator: E (D(G(z)) - 1)^2 / 2."""

    boundary = 0.5  # between the targets

    def discriminator(self, *, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return (real_logits - 1).square().mean() / 2 + fake_logits.square().mean() / 2

    def generator(self, *, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return (fake_logits - 1).square().mean() / 2
