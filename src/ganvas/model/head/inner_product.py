"""The head of R3GAN (Huang 2024, arXiv:2501.05441): features against a class's vector, and nothing else."""

from __future__ import annotations

import math

from torch import Tensor, nn

from ganvas.model.head.interface import Head, initialize_head
from ganvas.model.layers.basic import require_input, require_labels


class InnerProductHead(Head):
    """<W features, E_y>, one vector E_y a class; without classes <w, features>. No biases.

    Args:
        feature_dim: F, length of the network's feature vector.
        num_classes: K; None where the model is not conditional.
        init_std: standard deviation of all weights at the start; None: 1 / sqrt(F), and
            1 / sqrt(F K) for E.
    """

    def __init__(
        self, feature_dim: int, num_classes: int | None = None, init_std: float | None = None
    ) -> None:
        super().__init__(feature_dim, num_classes)
        self.reads_labels = num_classes is not None
        self.linear = nn.Linear(feature_dim, 1 if num_classes is None else feature_dim, bias=False)
        nn.init.normal_(self.linear.weight, 0.0, 1 / math.sqrt(feature_dim))
        self.embedding = None if num_classes is None else nn.Embedding(num_classes, feature_dim)
        if self.embedding is not None and num_classes is not None:
            nn.init.normal_(self.embedding.weight, 0.0, 1 / math.sqrt(feature_dim * num_classes))
        initialize_head(self, init_std)

    def forward(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        """Features [B, F] and, where there are classes, int64 [B] of them, to logits [B]."""
        require_input(features, self.feature_dim)
        seen = self.linear(features)
        if self.embedding is None:
            return seen[:, 0]
        return (seen * self.embedding(require_labels(label))).sum(1)
