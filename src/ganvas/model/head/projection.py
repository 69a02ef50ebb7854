"""The projection discriminator (Miyato & Koyama 2018, arXiv:1802.05637, equation 4)."""

from __future__ import annotations

from torch import Tensor, nn

from ganvas.model.head.interface import Head, at_patches, initialize_head, require_features
from ganvas.model.layers.basic import require_labels


class ProjectionHead(Head):
    """<w, features> + b + <E_y, features>, one vector E_y a class; without classes the first two terms alone.

    Args:
        feature_dim: F, length of the network's feature vector.
        num_classes: K; None where the model is not conditional.
        init_std: standard deviation of w and E at the start, and b = 0; None: torch's own for w, and E by
            Glorot's uniform law, as the authors have it.
    """

    judges_patches = True

    def __init__(
        self, feature_dim: int, num_classes: int | None = None, init_std: float | None = None
    ) -> None:
        super().__init__(feature_dim, num_classes)
        self.linear = nn.Linear(feature_dim, 1)
        self.embedding = None if num_classes is None else nn.Embedding(num_classes, feature_dim)
        self.reads_labels = num_classes is not None
        if self.embedding is not None:
            nn.init.xavier_uniform_(self.embedding.weight)
        initialize_head(self, init_std)

    def forward(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        """Features [B, F] and, where there are classes, int64 [B] of them, to logits [B].

        A map [B, C, h, w] to a logit a patch.
        """
        require_features(features, self.feature_dim)
        if features.ndim == 4:
            if self.embedding is None:
                return at_patches(self.linear.weight, features) + self.linear.bias
            vectors = self.linear.weight + self.embedding.weight  # [K, F]
            return at_patches(vectors, features, require_labels(label)) + self.linear.bias
        logits = self.linear(features)[:, 0]
        if self.embedding is None:
            return logits
        return logits + (self.embedding(require_labels(label)) * features).sum(1)
