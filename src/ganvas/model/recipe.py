"""What every recipe shares: the clock in images, each step's randomness, what is reported."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from ganvas.errors import OptionError
from ganvas.functional.distributed import rank, world_size
from ganvas.functional.random import Draws, hash64


class Recipe(pl.LightningModule):
    """A LightningModule that holds only an optimization recipe; networks and losses are its arguments.

    Attributes:
        images_seen: real training samples consumed, all ranks together; it travels in the checkpoint.
        batches_seen: global batches consumed; equal to Lightning's ``global_step``.
        report: tag -> detached scalar; filled on the steps on which a log is due, else empty.
        validation_report: tag -> number, filled at the end of a validation.
        figures: name -> number, the newest evaluation.
        log_every_batches: how often ``report`` is filled; see :meth:`log_every`.
    """

    def __init__(self, *, seed: int) -> None:
        super().__init__()
        self.seed = seed
        self.images_seen = 0
        self.batches_seen = 0
        self.log_every_batches = 1
        self.report: dict[str, Tensor] = {}
        self.validation_report: dict[str, float] = {}
        self.figures: dict[str, float] = {}

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

    def check_sample(self, x: Tensor) -> None:
        """Raises OptionError unless the networks fit samples like ``x`` [B, ...]; changes no state."""
        raise NotImplementedError

    def begin_step(self) -> Draws:
        """Opens a training step: its draws, and torch's own stream (dropout) as functions of the step."""
        number = hash64(self.seed, rank(), self.batches_seen, "step")
        # What torch.manual_seed sets for this device; it also queues a call, with its stack trace, for every
        # kind of device that is not in use, at every step.
        torch.default_generator.manual_seed(number)
        if self.device.type != "cpu":
            torch.get_device_module(self.device).manual_seed(number)
        return Draws(self.seed, self.batches_seen, rank(), world_size(), self.device)

    @property
    def log_due(self) -> bool:
        return (self.batches_seen + 1) % self.log_every_batches == 0

    @property
    def cadence(self) -> int:
        """Batches after which everything that a step may do has been done once."""
        return 1

    def log_every(self, images: int, batch_size: int) -> None:
        """Logs about every ``images``, on batches on which everything is done."""
        wanted = max(1, images // batch_size)
        self.log_every_batches = -(-wanted // self.cadence) * self.cadence

    def end_step(self, local_batch_size: int) -> None:
        """Closes a training step: the clock moves by the global batch."""
        self.batches_seen += 1
        self.images_seen += local_batch_size * world_size()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["ganvas_clock"] = self.clock()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        for name, value in checkpoint["ganvas_clock"].items():
            setattr(self, name, value)

    def clock(self) -> dict[str, int]:
        """The counters that a checkpoint carries."""
        return {"images_seen": self.images_seen, "batches_seen": self.batches_seen}


def check_shape(option: str, made: Tensor, wanted: Tensor, maker: str) -> None:
    """Raises OptionError where a network makes samples of another shape than the data's."""
    if made.shape[1:] != wanted.shape[1:]:
        raise OptionError(
            option,
            list(wanted.shape[1:]),
            f"the {maker} makes samples of {list(made.shape[1:])}; choose a data.image_size and "
            "data.channels that it can make, or another network",
        )
