"""A head that knows no classes: one linear layer."""

from __future__ import annotations

from torch import Tensor, nn

from ganvas.model.head.interface import Head, at_patches, initialize_head, require_features


class PlainHead(Head):
    """<w, features> + b; the label is not read.

    Args:
        feature_dim: F, length of the network's feature vector.
        num_classes: not read.
        init_std: standard deviation of w at the start, and b = 0; None: torch's own initialization.
    """

    judges_patches = True

    def __init__(
        self, feature_dim: int, num_classes: int | None = None, init_std: float | None = None
    ) -> None:
        super().__init__(feature_dim, num_classes)
        self.linear = nn.Linear(feature_dim, 1)
        initialize_head(self, init_std)

    def forward(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        """Features [B, F] to logits [B], or a map to a logit a patch."""
        require_features(features, self.feature_dim)
        if features.ndim == 4:
            return at_patches(self.linear.weight, features) + self.linear.bias
        return self.linear(features)[:, 0]
