"""The Wasserstein loss (Arjovsky 2017, arXiv:1701.07875, algorithm 1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganvas.errors import require_number
from ganvas.model.adversarial_loss.interface import AdversarialLoss


class Wasserstein(AdversarialLoss):
    """Critic: E D(G(z)) - E D(x); generator: -E D(G(z)).

    The critic must be kept smooth: by ``clip``, or by a gradient penalty or spectral norm beside the loss.

    Args:
        clip: largest absolute value of the critic's parameters after each of its steps; the paper has 0.01.
            None: they are free.

    Raises:
        OptionError: a ``clip`` that is not positive.
    """

    boundary = None

    def __init__(self, clip: float | None = None) -> None:
        self.clip = clip
        if clip is not None:
            require_number("clip", clip, "null leaves the critic to a gradient penalty", positive=True)
            self.constrain = self._clip

    def discriminator(self, *, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return fake_logits.mean() - real_logits.mean()

    def generator(self, *, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return -fake_logits.mean()

    @torch.no_grad()
    def _clip(self, critic: nn.Module) -> None:
        assert self.clip is not None
        for parameter in critic.parameters():
            if parameter.requires_grad:  # a frozen layer does not move
                parameter.clamp_(-self.clip, self.clip)
