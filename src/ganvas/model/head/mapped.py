"""The head of StyleGAN2-ADA (Karras 2020, arXiv:2006.06676, appendix D): features against a mapped class."""

from __future__ import annotations

import math

from torch import Tensor

from ganvas.errors import require_number, require_whole
from ganvas.model.head.interface import Head
from ganvas.model.layers.basic import require_input, require_labels
from ganvas.model.layers.style import EqualizedLinear, Mapping


class MappedHead(Head):
    """<W features + b, m(y)> / sqrt(F), m a mapping network of the class; without classes <w, features> + b.

    Weights are used at the equalized learning rate (Karras 2018, arXiv:1710.10196, section 4.1).

    Args:
        feature_dim: F, length of the network's feature vector, and of m(y).
        num_classes: K; None where the model is not conditional.
        mapping_layers: of the mapping network.
        rate: by which these learn slower than the other layers.

    Raises:
        OptionError: a number that is not positive.
    """

    def __init__(
        self, feature_dim: int, num_classes: int | None = None, mapping_layers: int = 8, rate: float = 0.01
    ) -> None:
        super().__init__(feature_dim, num_classes)
        require_whole("mapping_layers", mapping_layers, 1, "8 in the paper")
        require_number("rate", rate, "0.01 in the paper", positive=True)
        self.reads_labels = num_classes is not None
        self.linear = EqualizedLinear(feature_dim, 1 if num_classes is None else feature_dim)
        self.mapping = (
            None if num_classes is None else Mapping(0, num_classes, feature_dim, mapping_layers, rate)
        )

    def forward(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        """Features [B, F] and, where there are classes, int64 [B] of them, to logits [B]."""
        require_input(features, self.feature_dim)
        seen = self.linear(features)
        if self.mapping is None:
            return seen[:, 0]
        return (seen * self.mapping(None, require_labels(label))).sum(1) / math.sqrt(self.feature_dim)
