"""A classifier of the data's own labels, by cross-entropy; its features judge other models' samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer

from ganvas.errors import OptionError
from ganvas.functional.batch import Batch
from ganvas.functional.modes import eval_mode
from ganvas.functional.random import Draws
from ganvas.model.network.interface import Classified
from ganvas.model.training.recipe import Recipe


class Classifier(Recipe):
    """Cross-entropy of the labels.

    Args:
        network: samples [B, ...] to logits and features (see the part's interface).
        optimizer: parameters to a torch optimizer.
        seed: the run's seed.
    """

    reports = (
        *(
            "loss/cross_entropy",
            "accuracy/training",
            "gradient_norm/network",
            "learning_rate/network",
            "schedule/",
        ),
        *("validation/cross_entropy", "validation/accuracy"),
    )

    def __init__(
        self,
        *,
        network: nn.Module,
        optimizer: Callable[[Any], Optimizer],
        seed: int,
    ) -> None:
        super().__init__(seed=seed)
        self.network = network
        self.add_optimizer("network", optimizer, ["network"])

    def step(self, batch: Batch, draws: Draws) -> None:
        assert batch.label is not None, "the data said how many classes they have"
        logits = self.network(batch.x).logits  # [B, K]
        if self.log_due:
            self.note({"accuracy/training": (logits.argmax(1) == batch.label).float().mean()})
        self.descend("network", {"loss/cross_entropy": cross_entropy(logits, batch.label)})

    def why_not_sharded(self) -> str:
        return "shares out GANs and VQ-VAEs alone; accelerator.strategy=ddp"

    def validation_sums(self, batch: Batch) -> dict[str, Tensor]:
        assert batch.label is not None
        logits = self.network(batch.x).logits
        correct = logits.argmax(1) == batch.label
        return {
            "cross_entropy": cross_entropy(logits, batch.label, reduction="sum"),
            "accuracy": correct.sum(),
        }

    @torch.no_grad()
    def classify(self, x: Tensor) -> Classified:
        """See :class:`ganvas.model.interface.Classifies`; the network in eval mode."""
        with eval_mode(self.network):
            return self.network(x)

    def check_sample(self, x: Tensor) -> None:
        """Raises OptionError unless the network takes samples like ``x`` [B, ...]."""
        try:
            self.classify(x)
        except OptionError as error:
            if error.option != "image_size":
                raise
            raise error.under("data") from None
