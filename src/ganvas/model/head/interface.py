"""What a recipe asks of the head of a discriminator: features to logits, by class where there are classes."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from ganvas.errors import require
from ganvas.model.layers.basic import require_classes, require_input


class Head(nn.Module, ABC):
    """The last layer of a discriminator, and how it learns of classes.

    Args:
        feature_dim: F, length of the network's feature vector.
        num_classes: K; None where the model is not conditional.

    Attributes:
        reads_labels: whether logits or the class loss depend on the label.
        classifies: whether :meth:`class_loss` is to be added to both networks' losses.
        judges_patches: whether it takes features [B, F, h, w] too, and makes logits [B, h, w] of them.
    """

    reads_labels: bool = False
    classifies: bool = False
    judges_patches: bool = False

    def __init__(self, feature_dim: int, num_classes: int | None) -> None:
        super().__init__()
        require(feature_dim >= 1, "feature_dim", feature_dim, "must be at least 1")
        require_classes(num_classes)
        self.feature_dim, self.num_classes = feature_dim, num_classes

    @abstractmethod
    def forward(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        """Features [B, F] and classes int64 [B] to logits [B], positive for real."""

    def class_loss(self, features: Tensor, label: Tensor) -> Tensor:
        """A scalar: the discriminator descends it on real samples, the generator on those that it made."""
        raise NotImplementedError(f"{type(self).__name__} classifies nothing")


def require_features(features: Tensor, feature_dim: int) -> None:
    """Raises ValueError unless features are [B, feature_dim], or [B, feature_dim, h, w] of patches."""
    places = (None, None) if features.ndim == 4 else ()
    require_input(features, feature_dim, *places)


def at_patches(vectors: Tensor, features: Tensor) -> Tensor:
    """<vector, features> at each patch: vectors [1 or B, F] and features [B, F, h, w] to [B, h, w]."""
    return (vectors[:, None] @ features.flatten(2))[:, 0].unflatten(1, features.shape[2:])


def initialize_head(head: nn.Module, std: float | None) -> None:
    """Weights from N(0, std) and biases zero; as they are where ``std`` is None.

    Raises:
        OptionError: ``init_std`` is not positive.
    """
    if std is None:
        return
    require(std > 0, "init_std", std, "must be positive; null is torch's own initialization")
    for module in head.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, 0.0, std)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
