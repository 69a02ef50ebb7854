"""A discriminator: a network that makes features of samples, and a head that makes logits of features."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ganvas.errors import require
from ganvas.model.freezing import hold, layers_from_input
from ganvas.model.head.interface import Head, neighbourhood
from ganvas.model.layers.basic import require_labels
from ganvas.model.layers.spectral_norm import spectral_norm


class Critic(nn.Module):
    """``head(network(x), label)``.

    Args:
        network: samples [B, ...] to features [B, F], or to a map where it says ``gives_patches`` of itself
            (see its interface). Where it says ``spectral`` of itself, the weights of the head are divided by
            their largest singular value too: the bound of a network needs all of them.
        head: features to logits.

    Raises:
        OptionError: a network that gives patches, and a head that does not judge them.
    """

    def __init__(self, network: nn.Module, head: Head) -> None:
        super().__init__()
        self.network, self.head, self._frozen = network, head, 0
        self.gives_patches: bool = getattr(network, "gives_patches", False)
        rule = "judges samples, and this discriminator gives patches; choose model/head=plain or projection"
        require(head.judges_patches or not self.gives_patches, "head", type(head).__name__, rule)
        if getattr(network, "spectral", False):
            for module in list(head.modules()):
                if isinstance(module, nn.Linear | nn.Embedding):
                    spectral_norm(module)

    def freeze(self, count: int) -> None:
        """Keeps the ``count`` layers of the network that are nearest the input from moving, from now on.

        Freeze-D (Mo 2020, arXiv:2002.10964), for networks whose weights come from another run: what they have
        learned of edges and textures needs no new data. The head is no layer of the network.

        Raises:
            OptionError: it has not so many (:func:`ganvas.model.freezing.layers_from_input`).
        """
        there = len(layers_from_input(self.network))
        rule = f"must be from 0 to {there}, the layers of this discriminator; 0 freezes none"
        require(0 <= count <= there, "freeze_discriminator_layers", count, rule)
        self._frozen = count
        self.train(self.training)

    def train(self, mode: bool = True) -> Critic:
        """Frozen layers stay in eval mode."""
        super().train(mode)
        for layer in layers_from_input(self.network)[: self._frozen] if self._frozen else ():
            hold(layer)
        return self

    def forward(self, x: Tensor, label: Tensor | None = None, *, class_loss: bool = False) -> Any:
        """Samples [B, ...] in [-1, 1] and classes int64 [B] to logits [B], or [B, h, w], one a patch.

        Args:
            class_loss: gives the head's loss of these classes beside the logits; None where it has none.
        """
        features = self.network(x)
        logits = self.head(features, label)
        if not class_loss:
            return logits
        return logits, self.head.class_loss(features, require_labels(label)) if self.head.classifies else None

    def check(self, x: Tensor) -> None:
        """Raises OptionError unless the network makes of samples [B, ...] what the head takes."""
        features, size = self.network(x), self.head.feature_dim
        wanted = [len(x), size]
        fits = list(features.shape) == wanted
        rule = f"must return features of shape [B, feature_dim], here {wanted}; the head makes logits of them"
        if self.gives_patches:
            fits = (
                features.ndim == 4 and len(features) == len(x) and neighbourhood(features, size) is not None
            )
            rule = (
                f"must return a map [B, C, h, w] with C k^2 = feature_dim, here {size}, as it gives patches"
            )
        require(fits, "discriminator", list(features.shape), rule)
