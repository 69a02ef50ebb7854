"""What a recipe asks of the head of a discriminator: features to logits, by class where there are classes."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from ganvas.errors import require_number, require_whole
from ganvas.model.layers.basic import require_classes, require_input


class Head(nn.Module, ABC):
    """The last layer of a discriminator, and how it learns of classes.

    Args:
        feature_dim: F, length of the network's feature vector.
        num_classes: K; None where the model is not conditional.

    Attributes:
        reads_labels: whether logits or the class loss depend on the label.
        classifies: whether :meth:`class_loss` is to be added to both networks' losses.
        judges_patches: whether it takes a map [B, C, h, w] too, and makes a logit of each patch: its k x k
            neighbourhood is the feature vector, F = C k^2.
    """

    reads_labels: bool = False
    classifies: bool = False
    judges_patches: bool = False

    def __init__(self, feature_dim: int, num_classes: int | None) -> None:
        super().__init__()
        require_whole("feature_dim", feature_dim, 1, "the discriminator says how many")
        require_classes(num_classes)
        self.feature_dim, self.num_classes = feature_dim, num_classes

    @abstractmethod
    def forward(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        """Features [B, F] and classes int64 [B] to logits [B], positive for real."""

    def class_loss(self, features: Tensor, label: Tensor) -> Tensor:
        """A scalar: the discriminator descends it on real samples, the generator on those that it made."""
        raise NotImplementedError(f"{type(self).__name__} classifies nothing")


def require_features(features: Tensor, feature_dim: int) -> None:
    """Raises ValueError unless features are [B, feature_dim], or a map [B, C, h, w] with F = C k^2."""
    if features.ndim != 4:
        require_input(features, feature_dim)
    elif neighbourhood(features, feature_dim) is None:
        shape, rule = list(features.shape), f"a head of {feature_dim} features takes one with C k^2 of them"
        raise ValueError(f"a map [B, C, h, w] of shape {shape} where {rule}")


def neighbourhood(features: Tensor, feature_dim: int) -> int | None:
    """k, the side of a patch on a map [B, C, h, w] with feature_dim = C k^2; None where there is none."""
    side = math.isqrt(feature_dim // features.shape[1])
    return side if side * side * features.shape[1] == feature_dim else None


def at_patches(vectors: Tensor, features: Tensor, label: Tensor | None = None) -> Tensor:
    """<vector, neighbourhood> at each patch of a map [B, C, h, w], zeros beyond its border.

    A convolution: each neighbourhood by itself, in memory, would be k^2 times the map.

    Args:
        vectors: [1, C k^2], or [K, C k^2], one a class.
        label: int64 [B], whose vector a sample's patches meet, where there are several.

    Returns:
        [B, h', w']; h' = h for odd k and h - 1 for even k.
    """
    side = neighbourhood(features, vectors.shape[1])
    assert side is not None
    kernels = vectors.unflatten(1, (features.shape[1], side, side))
    padding = (side - 1) // 2
    if label is None:
        return conv2d(features, kernels, padding=padding)[:, 0]
    if len(kernels) <= len(features):  # all classes at once cost less than each sample by itself
        every = conv2d(features, kernels, padding=padding)  # [B, K, h', w']
        return every[torch.arange(len(features), device=features.device), label]
    stacked = features.flatten(0, 1)[None]  # [1, B C, h, w]
    return conv2d(stacked, kernels[label], padding=padding, groups=len(features))[0]


def initialize_head(head: nn.Module, std: float | None) -> None:
    """Weights from N(0, std) and biases zero; as they are where ``std`` is None.

    Raises:
        OptionError: ``init_std`` is not positive.
    """
    if std is None:
        return
    require_number("init_std", std, "null is torch's own initialization", positive=True)
    for module in head.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, 0.0, std)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
