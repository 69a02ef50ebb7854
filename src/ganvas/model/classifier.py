"""A classifier of the data's own labels, by cross-entropy; its features judge other models' samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer

from ganvas.errors import OptionError, require
from ganvas.functional.batch import Batch
from ganvas.functional.modes import eval_mode
from ganvas.functional.random import Draws
from ganvas.model.network.interface import Classified
from ganvas.model.training.descent import linear_decay
from ganvas.model.training.recipe import Recipe


class Classifier(Recipe):
    """Cross-entropy; the learning rate falls linearly to zero.

    Args:
        network: samples [B, ...] to logits and features (see the part's interface).
        optimizer: parameters to a torch optimizer.
        decay_examples: examples seen at which the learning rate reaches zero; None leaves it as it is.
        seed: the run's seed.
    """

    reports = (
        *("loss/cross_entropy", "accuracy/training", "gradient_norm/network", "learning_rate/network"),
        *("validation/cross_entropy", "validation/accuracy"),
    )

    def __init__(
        self,
        *,
        network: nn.Module,
        optimizer: Callable[[Any], Optimizer],
        decay_examples: int | None,
        seed: int,
    ) -> None:
        super().__init__(seed=seed)
        positive = decay_examples is None or decay_examples > 0
        require(positive, "decay_examples", decay_examples, "must be positive, or null for a constant rate")
        self.network, self.decay_examples = network, decay_examples
        self.add_optimizer("network", optimizer, ["network"], schedule=linear_decay(decay_examples))

    def step(self, batch: Batch, draws: Draws) -> None:
        assert batch.label is not None, "the data said how many classes they have"
        logits = self.network(batch.x).logits  # [B, K]
        if self.log_due:
            self.note({"accuracy/training": (logits.argmax(1) == batch.label).float().mean()})
        self.descend("network", {"loss/cross_entropy": cross_entropy(logits, batch.label)})

    def out_of_reach(self, batches: int, examples: int) -> list[str]:
        """See :class:`ganvas.model.training.lifecycle.Lifecycle`: a decay that does not end with the run."""
        decay = self.decay_examples
        if decay is None or 0.9 * examples <= decay <= 1.1 * examples:
            return []
        if decay < examples:
            left = f"the learning rate is zero from there on, and the run has {examples:,} examples"
        else:
            share = 1 - examples / decay
            left = f"the run ends after {examples:,} examples, at {share:.0%} of the learning rate"
        return [f"model.decay_examples={decay}: {left}"]

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
