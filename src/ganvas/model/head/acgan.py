"""The auxiliary classifier (Odena 2017, arXiv:1610.09585, equations 2 and 3)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ganvas.errors import require_number
from ganvas.functional.precision import at_least_float32
from ganvas.model.head.interface import Head, initialize_head
from ganvas.model.layers.basic import require_input, require_labels


class ACGANHead(Head):
    """A linear layer to the logit, and one to K classes, whose cross-entropy both networks descend.

    The discriminator learns the classes of real samples, and the generator those that it was asked for. The
    paper's discriminator learns them of generated samples too, by which it learns to call a bad sample by the
    class that it was meant to be.

    Args:
        feature_dim: F, length of the network's feature vector.
        num_classes: K; None where the model is not conditional, and the head is the logit's layer alone.
        weight: of the cross-entropy.
        init_std: standard deviation of both layers' weights at the start, biases being 0; None: torch's own.

    Raises:
        OptionError: a ``weight`` that is not positive.
    """

    def __init__(
        self,
        feature_dim: int,
        num_classes: int | None = None,
        weight: float = 1.0,
        init_std: float | None = None,
    ) -> None:
        super().__init__(feature_dim, num_classes)
        require_number("weight", weight, "model/head=plain knows no classes", positive=True)
        self.weight = weight
        self.linear = nn.Linear(feature_dim, 1)
        self.classes = None if num_classes is None else nn.Linear(feature_dim, num_classes)
        self.reads_labels = self.classifies = num_classes is not None
        initialize_head(self, init_std)

    def forward(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        """Features [B, F] to logits [B]; the label is not read."""
        require_input(features, self.feature_dim)
        return self.linear(features)[:, 0]

    def class_loss(self, features: Tensor, label: Tensor) -> Tensor:
        """weight E -log p(label | features)."""
        assert self.classes is not None
        return self.weight * cross_entropy(at_least_float32(self.classes(features)), require_labels(label))
