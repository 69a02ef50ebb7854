"""A discriminator: a network that makes features of samples, and a head that makes logits of features."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ganvas.errors import require
from ganvas.model.head.interface import Head
from ganvas.model.layers.basic import require_labels


class Critic(nn.Module):
    """``head(network(x), label)``.

    Args:
        network: samples [B, ...] to features [B, F], or to [B, F, h, w] where it says ``gives_patches`` of
            itself. Where it says ``spectral`` of itself, the weights of the head are divided by their
            largest singular value too: the bound of a network needs all of them.
        head: features to logits.

    Raises:
        OptionError: a network that gives patches, and a head that does not judge them.
    """

    def __init__(self, network: nn.Module, head: Head) -> None:
        super().__init__()
        self.network, self.head = network, head
        self.gives_patches: bool = getattr(network, "gives_patches", False)
        rule = "judges samples, and this discriminator gives patches; choose model/head=plain or projection"
        require(head.judges_patches or not self.gives_patches, "head", type(head).__name__, rule)
        if getattr(network, "spectral", False):
            for module in list(head.modules()):
                if isinstance(module, nn.Linear | nn.Embedding):
                    spectral_norm(module)

    def forward(self, x: Tensor, label: Tensor | None = None, *, class_loss: bool = False) -> Any:
        """Samples [B, ...] in [-1, 1] and classes int64 [B] to logits [B], or [B, h, w] of patches.

        Args:
            class_loss: gives the head's loss of these classes beside the logits; None where it has none.
        """
        features = self.network(x)
        logits = self.head(features, label)
        if not class_loss:
            return logits
        return logits, self.head.class_loss(features, require_labels(label)) if self.head.classifies else None
