"""What heads share that compare the samples of a batch: an embedding of each, and of each class."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from ganvas.errors import require_number, require_whole
from ganvas.functional.distributed import all_rows, joint_rows, mean_of_global_batch
from ganvas.functional.precision import at_least_float32
from ganvas.model.head.interface import Head, initialize_head
from ganvas.model.layers.basic import require_input, require_labels

_SHORTEST = 1e-6  # length below which an embedding has no direction, so that its gradient stays bounded


class EmbeddingHead(Head):
    """A linear layer to the logit, one to an embedding, and a learned embedding of each class.

    Embeddings are divided by their length. Their loss (:meth:`contrast`) compares each sample with its class
    and with the other samples of the global batch: on several ranks it is that of one process on the joint
    batch. With ``trainer.micro_batches`` a sample meets those of its part alone, so that there are fewer to
    be compared with.

    Args:
        feature_dim: F, length of the network's feature vector.
        num_classes: K; None where the model is not conditional, and the head is the logit's layer alone.
        weight: of the loss of classes, in both networks' losses.
        temperature: cosines are divided by it.
        embedding_dim: length of an embedding.
        init_std: standard deviation of all weights at the start, biases being 0; None: torch's own.

    Raises:
        OptionError: a ``weight``, ``temperature`` or ``embedding_dim`` that is not positive.
    """

    def __init__(
        self,
        feature_dim: int,
        num_classes: int | None = None,
        weight: float = 1.0,
        temperature: float = 1.0,
        embedding_dim: int = 512,
        init_std: float | None = None,
    ) -> None:
        super().__init__(feature_dim, num_classes)
        require_number("weight", weight, "model/head=plain knows no classes", positive=True)
        require_number("temperature", temperature, "1 leaves cosines as they are", positive=True)
        require_whole("embedding_dim", embedding_dim, 1, "512 is usual")
        self.weight, self.temperature = weight, temperature
        self.linear = nn.Linear(feature_dim, 1)
        self.embed = None if num_classes is None else nn.Linear(feature_dim, embedding_dim)
        self.classes = None if num_classes is None else nn.Embedding(num_classes, embedding_dim)
        self.reads_labels = self.classifies = self.compares_samples = num_classes is not None
        initialize_head(self, init_std)

    def forward(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        """Features [B, F] to logits [B]; the label is not read."""
        require_input(features, self.feature_dim)
        return self.linear(features)[:, 0]

    def class_loss(self, features: Tensor, label: Tensor) -> Tensor:
        """weight E contrast, a scalar in at least float32; every rank must ask, with equally many samples."""
        assert self.embed is not None
        assert self.classes is not None
        require_input(features, self.feature_dim)
        label = require_labels(label)
        embedding, own_class = self.embed(features), self.classes(label)  # [B, E] each
        with torch.autocast(features.device.type, enabled=False):
            sample = normalize(at_least_float32(embedding), dim=1, eps=_SHORTEST)
            proxy = normalize(at_least_float32(own_class), dim=1, eps=_SHORTEST)
            to_class = joint_rows((sample * proxy).sum(1))  # [N], N samples of all ranks
            sample, label = joint_rows(sample), all_rows(label)
            losses = self.contrast(
                to_class=to_class,
                to_sample=sample @ sample.T,
                same_class=label[:, None] == label[None],
            )
        return self.weight * mean_of_global_batch(losses.mean())

    @abstractmethod
    def contrast(self, *, to_class: Tensor, to_sample: Tensor, same_class: Tensor) -> Tensor:
        """The loss of each sample, [N].

        Args:
            to_class: cosines [N] of a sample's embedding with its class's.
            to_sample: cosines [N, N] of all samples with each other, 1 on the diagonal.
            same_class: bool [N, N], true on the diagonal.
        """
