"""The hinge loss (Lim & Ye 2017, arXiv:1705.02894; Miyato 2018, arXiv:1802.05957, equations 16 and 17)."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import relu

from ganvas.model.adversarial_loss.interface import AdversarialLoss


class Hinge(AdversarialLoss):
    """Discriminator: E relu(1 - D(x)) + E relu(1 + D(G(z))); generator: -E D(G(z)), without a hinge."""

    def discriminator(self, *, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return relu(1 - real_logits).mean() + relu(1 + fake_logits).mean()

    def generator(self, *, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return -fake_logits.mean()
