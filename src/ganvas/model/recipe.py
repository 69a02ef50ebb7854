"""What every recipe shares: the clock in examples, each step's randomness, what is reported."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from ganvas.errors import OptionError, require
from ganvas.functional.distributed import is_distributed, mean_over_ranks_, rank, sum_over_ranks, world_size
from ganvas.functional.finite import non_finite_name
from ganvas.functional.random import Draws, hash64
from ganvas.model.guard import BufferSnapshot, Guard


class Recipe(pl.LightningModule):
    """A LightningModule that holds only an optimization recipe; networks and losses are its arguments.

    Attributes:
        examples_seen: real training samples consumed, all ranks together; it travels in the checkpoint.
        batches_seen: global batches consumed; equal to Lightning's ``global_step``.
        rollbacks: how often the run has gone back to a checkpoint; each time on with other draws and data.
        guard: decides about steps whose numbers are not finite; see :meth:`set_non_finite_policy`.
        report: tag -> detached scalar; filled on the steps on which a log is due, else empty.
        validation_report: tag -> number, filled at the end of a validation.
        metrics: name -> number, the newest evaluation.
        log_every_batches: how often ``report`` is filled; see :meth:`log_every`.
        averages_gradients: whether the recipe itself makes gradients means over ranks; else the strategy.
        reports: every tag that it may report, in training or validation (``codes/`` stands for all that begin
            so); empty where the recipe does not say.
    """

    averages_gradients = False
    reports: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *, seed: int) -> None:
        super().__init__()
        self.seed = seed
        self.examples_seen = 0
        self.batches_seen = 0
        self.rollbacks = 0
        self.guard = Guard()
        self._snapshots: dict[str, BufferSnapshot] = {}
        self.log_every_batches = 1
        self.report: dict[str, Tensor] = {}
        self.validation_report: dict[str, float] = {}
        self.metrics: dict[str, float] = {}

    def __setattr__(self, name: str, value: Any) -> None:
        """torch looks through parameters and submodules at every assignment; Lightning notes the name of
        the hook that it calls, forty times a step, in an attribute that is neither."""
        if name == "_current_fx_name":
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)

    @property
    def networks(self) -> dict[str, nn.Module]:
        """The trained networks by name; compiled and laid out in memory as the accelerator asks."""
        raise NotImplementedError

    @property
    def sharded_networks(self) -> dict[str, nn.Module]:
        """What accelerator.strategy=fsdp shares out over ranks; nothing, where it cannot."""
        return {}

    def why_not_sharded(self) -> str | None:
        """Why accelerator.strategy=fsdp cannot train this recipe, and what can; None where it does."""
        return (
            None if self.sharded_networks else "shares out GANs and VQ-VAEs alone; accelerator.strategy=ddp"
        )

    def check_sample(self, x: Tensor) -> None:
        """Raises OptionError unless the networks fit samples like ``x`` [B, ...]; changes no state."""
        raise NotImplementedError

    def begin_step(self) -> Draws:
        """Opens a training step: its draws, and torch's own stream (dropout) as functions of the step."""
        if not self._snapshots:
            self._snapshots = {name: BufferSnapshot(self.changed_by_forward(name)) for name in self.networks}
        self.snapshot(*self._snapshots)
        seed = hash64(self.seed, "rollback", self.rollbacks) if self.rollbacks else self.seed
        number = hash64(seed, rank(), self.batches_seen, "step")
        # What torch.manual_seed sets for this device; it also queues a call, with its stack trace, for every
        # kind of device that is not in use, at every step.
        torch.default_generator.manual_seed(number)
        if self.device.type != "cpu":
            torch.get_device_module(self.device).manual_seed(number)
        return Draws(seed, self.batches_seen, rank(), world_size(), self.device)

    def set_non_finite_policy(self, policy: str, max_skips: int) -> None:
        """Sets what happens to a step whose loss or gradient is not finite (see :class:`Guard`)."""
        self.guard = Guard(policy, max_skips)

    def changed_by_forward(self, network: str) -> Iterator[tuple[nn.Module, str]]:
        """What forward passes in training change of a network, as (module, name): its buffers."""
        for module in self.networks[network].modules():
            for name, _ in module.named_buffers(recurse=False):
                yield module, name

    def on_train_start(self) -> None:
        self._snapshots = {}  # buffers may have moved to another device since

    @property
    def loss_is_scaled(self) -> bool:
        """Under float16 a GradScaler looks at the gradients, where overflow is usual, and skips by itself."""
        return getattr(self.trainer.precision_plugin, "scaler", None) is not None

    def check_finite(self, step: str, *, loss: Tensor, terms: dict[str, Tensor], x: Tensor) -> bool:
        """Whether an optimizer step may be made; asked after backward, before anything is moved.

        Args:
            step: name of what the step moves.
            loss: what was differentiated; the same on all ranks.
            terms: the loss's parts and ``gradient_norm/<step>`` by their names in the logs.
            x: the batch [B, ...], looked at where something broke.

        Returns:
            False where the step is to be skipped: the caller puts back what forward passes changed.

        Raises:
            NonFiniteError: where the guard stops or rolls back; all networks are as at the step's begin.
        """
        checked = loss if self.loss_is_scaled else loss + terms[f"gradient_norm/{step}"]
        if self.guard.passes(step, checked, terms):
            return True
        broken = self._first_broken(terms, x) or f"loss/{step}"
        where = f"batch {self.batches_seen + 1}, after {self.examples_seen:,} examples"
        if self.guard.skips(step, broken, where):
            return False
        self.restore(*self._snapshots)
        parameters = {name: dict(network.named_parameters()) for name, network in self.networks.items()}
        raise self.guard.error(broken, where, non_finite_name(parameters))

    def mean_loss(self, loss: Tensor, *networks: nn.Module) -> Tensor:
        """The loss's mean over ranks, detached, so that all of them decide alike about the step.

        With it, in one collective, go the networks' running statistics: each rank's are of its share of the
        batch (under accelerator.sync_batchnorm of all, and their mean changes nothing).
        """
        mean = loss.detach().clone()
        mean_over_ranks_([mean, *running_statistics(*networks)])
        return mean

    def _first_broken(self, terms: dict[str, Tensor], x: Tensor) -> str | None:
        """``data`` or the first term that is not finite on any rank; the same answer on all of them."""
        numbers = {"data": (x * 0).sum(), **terms}  # 0 * inf is NaN
        stacked = torch.stack([number.detach().to(self.device, torch.float32) for number in numbers.values()])
        finite = sum_over_ranks(stacked).isfinite().tolist()
        return next((name for name, good in zip(numbers, finite, strict=True) if not good), None)

    def skip_next_step(self, optimizer: Any, *, scaled: bool) -> None:
        """Makes the optimizer's next step, which Lightning makes and counts, one that moves nothing.

        torch's optimizers pass over parameters without a gradient, and touch no state of theirs.

        Args:
            optimizer: the one that is about to step.
            scaled: whether a GradScaler has yet to look: it must see gradients, and skips infinite ones.
        """
        if not scaled:
            optimizer.zero_grad()
            return
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.grad.fill_(torch.inf)

    def snapshot(self, *networks: str) -> None:
        """Copies what forward passes change of these networks, as it is now; a step begins with all."""
        for name in networks:
            self._snapshots[name].snapshot()

    def restore(self, *networks: str) -> None:
        """Undoes what forward passes have changed in these networks since :meth:`keep`."""
        for name in networks:
            self._snapshots[name].restore()

    @property
    def log_due(self) -> bool:
        return (self.batches_seen + 1) % self.log_every_batches == 0

    @property
    def log_period(self) -> int:
        """Batches after which everything that a step may do has been done once."""
        return 1

    def log_every(self, examples: int, batch_size: int) -> None:
        """Logs about every ``examples``, on batches on which everything is done."""
        wanted = max(1, examples // batch_size)
        self.log_every_batches = -(-wanted // self.log_period) * self.log_period

    def end_step(self, local_batch_size: int) -> None:
        """Closes a training step: the clock moves by the global batch, also where a step was skipped."""
        if self.report and self.guard.total:
            self.report["non_finite/skipped"] = torch.tensor(float(self.guard.total))
        if self.report and is_distributed():
            # Each is the mean over its rank's share of the batch, or the same on all.
            values = torch.stack([value.to(self.device, torch.float64) for value in self.report.values()])
            mean_over_ranks_([values])
            self.report = dict(zip(self.report, values, strict=True))
        self.batches_seen += 1
        self.examples_seen += local_batch_size * world_size()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["ganvas_clock"] = self.clock()
        checkpoint["ganvas_guard"] = self.guard.state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        rollbacks = self.rollbacks  # one that was just decided is not in the checkpoint that it goes back to
        for name, value in checkpoint["ganvas_clock"].items():
            counter = name in self.clock() and type(value) is int and value >= 0
            require(counter, f"ganvas_clock.{name}", value, "is no counter of this model; resume another run")
            setattr(self, name, value)
        self.rollbacks = max(self.rollbacks, rollbacks)
        if "ganvas_guard" in checkpoint:
            self.guard.load_state(checkpoint["ganvas_guard"])

    def clock(self) -> dict[str, int]:
        """The counters that a checkpoint carries."""
        return {
            "examples_seen": self.examples_seen,
            "batches_seen": self.batches_seen,
            "rollbacks": self.rollbacks,
        }


def running_statistics(*networks: nn.Module) -> list[Tensor]:
    """The networks' floating buffers, as BatchNorm's running mean and variance are."""
    return [buffer for one in networks for buffer in one.buffers() if buffer.is_floating_point()]


def check_shape(option: str, made: Tensor, wanted: Tensor, maker: str) -> None:
    """Raises OptionError where a network makes samples of another shape than the data's."""
    if made.shape[1:] != wanted.shape[1:]:
        raise OptionError(
            option,
            list(wanted.shape[1:]),
            f"the {maker} makes samples of {list(made.shape[1:])}; choose a data.image_size and "
            "data.channels that it can make, or another network",
        )
