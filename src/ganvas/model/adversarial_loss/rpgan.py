"""The relativistic pairing loss (Jolicoeur-Martineau 2018, arXiv:1807.00734; R3GAN, arXiv:2501.05441)."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from ganvas.model.adversarial_loss.interface import AdversarialLoss


class RpGAN(AdversarialLoss):
    """With pairs d_i = D(x_i) - D(G(z_i)): discriminator E softplus(-d), generator E softplus(d).

    Only differences count, so the discriminator's offset is free; it wants R1 and R2 beside it to converge.

    Raises:
        ValueError: logits of two shapes: broadcasting would make B x B pairs.
    """

    needs_real_logits = True
    boundary = None

    def discriminator(self, *, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return softplus(-_differences(real_logits, fake_logits)).mean()

    def generator(self, *, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        if real_logits is None:
            raise ValueError("real_logits=None: the generator's relativistic loss reads the real logits too")
        return softplus(_differences(real_logits, fake_logits)).mean()


def _differences(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    if real_logits.shape != fake_logits.shape:
        raise ValueError(
            f"logits of shapes {tuple(real_logits.shape)} (real) and {tuple(fake_logits.shape)} (fake): "
            "pairs need as many real as fake ones"
        )
    return real_logits - fake_logits
