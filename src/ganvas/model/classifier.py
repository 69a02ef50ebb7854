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
from ganvas.functional.distributed import sum_over_ranks
from ganvas.functional.gradients import gradient_norm
from ganvas.model.network.interface import Classified
from ganvas.model.recipe import Recipe


class Classifier(Recipe):
    """Cross-entropy by automatic optimization; the learning rate falls linearly to zero.

    Args:
        network: samples [B, ...] to logits and features (see the part's interface).
        optimizer: parameters to a torch optimizer.
        decay_examples: examples seen at which the learning rate reaches zero; None leaves it as it is.
        seed: the run's seed.
    """

    reports = (
        "loss/cross_entropy", "accuracy/training", "gradient_norm/network", "learning_rate/network",
        "validation/cross_entropy", "validation/accuracy",
    )  # fmt: skip

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
        self.network, self.optimizer, self.decay_examples = network, optimizer, decay_examples

    @property
    def networks(self) -> dict[str, nn.Module]:
        return {"network": self.network}

    def configure_optimizers(self) -> Optimizer:
        try:
            optimizer = self.optimizer([p for p in self.parameters() if p.requires_grad])
        except OptionError as error:
            raise error.under("model.optimizer") from None
        self._rates = [group["lr"] for group in optimizer.param_groups]
        return optimizer

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        self.begin_step()
        assert batch.label is not None, "the data said how many classes they have"
        logits = self.network(batch.x).logits  # [B, K]
        loss = cross_entropy(logits, batch.label)
        self._terms = {"loss/cross_entropy": loss.detach()}
        self.report = {}
        if self.log_due:
            correct = (logits.argmax(1) == batch.label).float().mean()
            self.report = self._terms | {"accuracy/training": correct}
        return loss

    @property
    def rate_left(self) -> float:
        """The learning rate of now over that of the start."""
        if self.decay_examples is None:
            return 1.0
        return max(0.0, 1 - self.examples_seen / self.decay_examples)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        for group, rate in zip(optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * self.rate_left
        norm = gradient_norm([parameter for group in optimizer.param_groups for parameter in group["params"]])
        terms = self._terms | {"gradient_norm/network": norm}
        # Gradients are means over ranks already.
        loss = self.mean_loss(terms["loss/cross_entropy"], self.network)
        if not self.check_finite("network", loss=loss, terms=terms, x=self._x):
            self.restore(*self.networks)
            # A GradScaler has looked at them by now, unless the optimizer is fused and asks it in its step.
            late = getattr(optimizer, "_step_supports_amp_scaling", False)
            self.skip_next_step(optimizer, scaled=self.loss_is_scaled and late)
        if self.report:
            self.report["gradient_norm/network"] = norm
            self.report["learning_rate/network"] = torch.tensor(optimizer.param_groups[0]["lr"])

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        self.end_step(len(self._x))

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        self._x = batch.x

    def on_validation_epoch_start(self) -> None:
        self._sums = torch.zeros(3, dtype=torch.float64, device=self.device)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        if len(batch.x) == 0:  # a rank's share of the last batch can be empty
            return
        assert batch.label is not None
        logits = self.network(batch.x).logits
        loss = cross_entropy(logits, batch.label, reduction="sum").double()
        correct = (logits.argmax(1) == batch.label).sum().double()
        self._sums += torch.stack([loss, correct, loss.new_tensor(len(batch.x))])

    def on_validation_epoch_end(self) -> None:
        loss, correct, count = sum_over_ranks(self._sums).tolist()
        self.validation_report = {
            "validation/cross_entropy": loss / max(count, 1),
            "validation/accuracy": correct / max(count, 1),
        }

    @torch.no_grad()
    def classify(self, x: Tensor) -> Classified:
        """See :class:`ganvas.model.interface.Classifies`; the network in eval mode."""
        training = self.network.training
        self.network.eval()
        try:
            return self.network(x)
        finally:
            self.network.train(training)

    def check_sample(self, x: Tensor) -> None:
        """Raises OptionError unless the network takes samples like ``x`` [B, ...]."""
        try:
            self.classify(x)
        except OptionError as error:
            if error.option != "image_size":
                raise
            raise error.under("data") from None
