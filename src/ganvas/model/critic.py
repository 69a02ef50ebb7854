"""A discriminator: a network that makes features of samples, and a head that makes logits of features."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ganvas.model.head.interface import Head
from ganvas.model.layers.basic import require_labels
from ganvas.model.layers.spectral_norm import spectral_norm


class Critic(nn.Module):
    """``head(network(x), label)``.

    Args:
        network: samples [B, ...] to features [B, F]. Where it says ``spectral`` of itself, the weights of the
            head are divided by their largest singular value too: the bound of a network needs all of them.
        head: features to logits.
    """

    def __init__(self, network: nn.Module, head: Head) -> None:
        super().__init__()
        self.network, self.head = network, head
        if getattr(network, "spectral", False):
            for module in list(head.modules()):
                if isinstance(module, nn.Linear | nn.Embedding):
                    spectral_norm(module)

    def forward(self, x: Tensor, label: Tensor | None = None, *, class_loss: bool = False) -> Any:
        """Samples [B, ...] in [-1, 1] and classes int64 [B] to logits [B].

        Args:
            class_loss: gives the head's loss of these classes beside the logits; None where it has none.
        """
        features = self.network(x)
        logits = self.head(features, label)
        if not class_loss:
            return logits
        return logits, self.head.class_loss(features, require_labels(label)) if self.head.classifies else None
