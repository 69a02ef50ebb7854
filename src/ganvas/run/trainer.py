"""From the trainer and accelerator sections to a Lightning Trainer: one clock, stated in examples."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.profilers import PassThroughProfiler

from ganvas.errors import OptionError, require
from ganvas.model.training.guard import POLICIES
from ganvas.model.training.lightning_internals import install_no_signal_handlers
from ganvas.run.checkpoint.io import DurableCheckpointIO
from ganvas.run.distributed.external_environment import environment_of
from ganvas.run.distributed.rank_info import RankInfo
from ganvas.run.distributed.strategy import STRATEGIES, SyncBatchNorms, make_strategy


@dataclass(frozen=True, kw_only=True)
class TrainerOptions:
    """What one recipe needs wherever it runs; every count in examples unless its name says otherwise.

    Budgets: the smallest of ``max_examples``, ``max_epochs``, ``max_steps`` and ``max_time`` ends the run.
    The limits and switches below them are Lightning's, with Lightning's meaning.
    """

    max_examples: int | None
    max_epochs: int | None
    max_steps: int | None
    max_time: str | None
    log_every_examples: int
    val_every_examples: int | None
    val_check_interval: int | float | None
    check_val_every_n_epoch: int | None
    limit_train_batches: int | float | None
    limit_val_batches: int | float | None
    limit_test_batches: int | float | None
    overfit_batches: int | float
    num_sanity_val_steps: int
    fast_dev_run: bool | int
    deterministic: bool
    detect_anomaly: bool
    inference_mode: bool
    profiler: str | None
    enable_model_summary: bool
    non_finite: str
    max_skips: int
    max_rollbacks: int
    micro_batches: int = 1  # runs of before it have none

    def __post_init__(self) -> None:
        counts = (
            "max_examples",
            "max_epochs",
            "max_steps",
            "val_every_examples",
            "log_every_examples",
            "check_val_every_n_epoch",
            "val_check_interval",
        )
        for name in counts:
            value = getattr(self, name)
            require(value is None or value > 0, name, value, "must be at least 1, or null")
        shares = ("limit_train_batches", "limit_val_batches", "limit_test_batches", "overfit_batches")
        for name in (*shares, "val_check_interval"):
            value = getattr(self, name)
            require(value is None or value >= 0, name, value, "must be 0 or more (a float is a share)")
            require(
                not isinstance(value, float) or value <= 1,
                name,
                value,
                "is a share and at most 1.0; a whole number counts batches",
            )
        limit = self.limit_train_batches
        require(limit != 0, "limit_train_batches", limit, "trains nothing; null takes the whole epoch")
        sanity, fast = self.num_sanity_val_steps, self.fast_dev_run
        require(sanity >= -1, "num_sanity_val_steps", sanity, "must be 0 or more batches, or -1 for all")
        require(fast >= 0, "fast_dev_run", fast, "must be true, false or a number of batches")
        time = self.max_time
        require(
            time is None or re.fullmatch(r"\d{1,6}:\d\d:[0-5]\d:[0-5]\d", time) is not None,
            "max_time",
            time,
            "must be DD:HH:MM:SS, e.g. 00:12:00:00",
        )
        require(self.max_seconds != 0, "max_time", time, "trains nothing; give at least a second, or null")
        policy = self.non_finite
        require(policy in POLICIES, "non_finite", policy, "there are: " + ", ".join(POLICIES))
        for name, without in (("max_skips", "skips none"), ("max_rollbacks", "never goes back")):
            value = getattr(self, name)
            require(value >= 1, name, value, f"must be at least 1; trainer.non_finite=stop {without}")
        require(
            self.micro_batches >= 1, "micro_batches", self.micro_batches, "must be at least 1; 1 is whole"
        )
        profilers = (None, "simple", "advanced", "pytorch")
        require(self.profiler in profilers, "profiler", self.profiler, "there are: simple, advanced, pytorch")
        budgets = (self.max_examples, self.max_epochs, self.max_steps, self.max_time)
        require(
            bool(self.fast_dev_run) or any(budget is not None for budget in budgets),
            "max_examples",
            "null",
            "one budget is needed; give max_examples, max_epochs, max_steps or max_time",
        )

    @property
    def max_seconds(self) -> float | None:
        """``max_time`` in seconds, of all the processes of a run together."""
        if self.max_time is None:
            return None
        days, hours, minutes, seconds = map(int, self.max_time.split(":"))
        return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


@dataclass(frozen=True, kw_only=True)
class AcceleratorOptions:
    """The machine: it never changes the result beyond float noise."""

    accelerator: str
    devices: int | str | list[int]
    num_nodes: int
    strategy: str
    precision: str
    process_group_backend: str | None
    sync_batchnorm: bool
    benchmark: bool
    matmul_precision: str
    channels_last: bool | None
    compile: bool
    threads: int | None
    timeout: float = 600.0  # runs of before it have none
    fused_search: bool = False  # likewise

    def __post_init__(self) -> None:
        fits = self.timeout >= 1 and self.timeout < 1e7
        require(fits, "timeout", self.timeout, "must be from 1 second up, e.g. 600")
        require(self.num_nodes > 0, "num_nodes", self.num_nodes, "must be at least 1; 1 is this machine")
        fits = self.threads is None or 0 < self.threads <= 1024
        require(fits, "threads", self.threads, "must be from 1 to 1024; null leaves it to torch")
        for name, known in (
            ("accelerator", ("auto", "cpu", "gpu", "cuda", "mps")),
            ("strategy", STRATEGIES),
            ("precision", ("32-true", "bf16-mixed", "16-mixed")),  # samples and latents are float32
            ("matmul_precision", ("highest", "high", "medium")),
        ):
            value = getattr(self, name)
            require(value in known, name, value, "there are: " + ", ".join(known))
        if self.accelerator in ("gpu", "cuda") and not torch.cuda.is_available():
            raise OptionError(
                "accelerator", self.accelerator, "this machine has no CUDA device; accelerator=cpu"
            )
        if self.accelerator == "mps" and not torch.backends.mps.is_available():
            raise OptionError("accelerator", "mps", "this machine has no MPS device; accelerator=cpu")
        # a machine that has one may be told to train on its CPU
        require(not (self.fused_search and self.uses_cpu), "fused_search", True, "needs a GPU; choose false")
        self._check_devices()

    def _check_devices(self) -> None:
        devices = self.devices
        if isinstance(devices, str):
            require(
                devices == "auto" or (devices.isdigit() and int(devices) > 0),
                "devices",
                devices,
                "must be a whole number of at least 1, a list or auto",
            )
            return
        if isinstance(devices, list) and self.uses_cpu:
            raise OptionError("devices", devices, "CPU processes have no numbers; give how many")
        if isinstance(devices, list):
            there = available_devices(self.accelerator)
            fits = len(set(devices)) == len(devices) and all(0 <= number < there for number in devices)
            require(fits, "devices", devices, f"must be different numbers from 0 to {there - 1}")
        count = len(devices) if isinstance(devices, list) else devices
        require(count > 0, "devices", devices, "must be at least 1; auto takes all")
        there = available_devices(self.accelerator)
        require(count <= there, "devices", devices, f"this machine has {there}; ask for at most so many")

    @property
    def uses_cpu(self) -> bool:
        return self.accelerator == "cpu" or (
            self.accelerator == "auto"
            and not torch.cuda.is_available()
            and not torch.backends.mps.is_available()
        )


def available_devices(accelerator: str) -> int:
    """How many devices (for a CPU: cores) a run may ask for."""
    if accelerator in ("gpu", "cuda") or (accelerator == "auto" and torch.cuda.is_available()):
        return torch.cuda.device_count()
    return 1 if accelerator == "mps" else (os.cpu_count() or 1)


def make_trainer(
    options: TrainerOptions,
    machine: AcceleratorOptions,
    *,
    batch_size: int,
    callbacks: list[pl.Callback],
    loggers: list[Any],
    run_dir: str,
    train_samples: int | None = None,
    has_validation: bool = True,
    info: RankInfo | None = None,
) -> pl.Trainer:
    """The Trainer that the options and the machine ask for.

    ``info`` is this process's among the ranks; without one Lightning looks for it, and starts ranks itself.
    """
    every, epochs = validation_interval(options, batch_size, train_samples)
    arguments: dict[str, Any] = {}
    if options.fast_dev_run:
        arguments["fast_dev_run"] = options.fast_dev_run
        loggers = []
    trainer = pl.Trainer(
        accelerator=machine.accelerator,
        devices=machine.devices,
        num_nodes=machine.num_nodes,
        strategy=make_strategy(
            machine.strategy, processes=processes(machine), backend=machine.process_group_backend
        ),
        precision=machine.precision,  # type: ignore[arg-type]  # checked against its options
        benchmark=machine.benchmark,
        max_steps=min(budgets(options, batch_size).values(), default=-1),
        max_epochs=options.max_epochs if options.max_epochs is not None else -1,
        val_check_interval=every,
        check_val_every_n_epoch=epochs,
        limit_train_batches=options.limit_train_batches,
        limit_val_batches=options.limit_val_batches if has_validation else 0,
        limit_test_batches=options.limit_test_batches,
        overfit_batches=options.overfit_batches,
        num_sanity_val_steps=options.num_sanity_val_steps,
        deterministic=options.deterministic,
        detect_anomaly=options.detect_anomaly,
        # Sharded parameters are gathered in validation too; a tensor of inference mode never trains again.
        inference_mode=options.inference_mode and machine.strategy != "fsdp",
        profiler=options.profiler or _NoProfiler(),
        enable_model_summary=options.enable_model_summary,
        # What follows is ours: the bar, the checkpoints, the sharding and the clock of the logs.
        enable_progress_bar=False,
        enable_checkpointing=False,
        use_distributed_sampler=False,
        log_every_n_steps=10**9,
        logger=loggers,
        callbacks=callbacks,
        plugins=[
            DurableCheckpointIO(),
            *([SyncBatchNorms()] if machine.sync_batchnorm else []),
            *environment_of(info),
        ],
        default_root_dir=run_dir,
        **arguments,
    )
    install_no_signal_handlers(trainer)
    return trainer


def budgets(options: TrainerOptions, batch_size: int, train_samples: int | None = None) -> dict[str, int]:
    """Batches after which each budget that is set ends the run, by its option.

    Without ``train_samples`` those in epochs are left out.
    """
    found = {"max_examples": batch_count(options.max_examples, batch_size), "max_steps": options.max_steps}
    if options.max_epochs is not None and train_samples is not None:
        found["max_epochs"] = options.max_epochs * epoch_batches(options, batch_size, train_samples)
    return {name: batches for name, batches in found.items() if batches is not None}


def budget_batches(options: TrainerOptions, batch_size: int, train_samples: int) -> int | None:
    """Batches after which the run is done, None where only the clock on the wall can end it."""
    return min(budgets(options, batch_size, train_samples).values(), default=None)


def total_examples(options: TrainerOptions, *, batch_size: int, train_samples: int) -> int | None:
    """Examples seen when training ends; None where a clock alone ends it."""
    batches = budget_batches(options, batch_size, train_samples)
    return None if batches is None else batches * batch_size


def epoch_batches(options: TrainerOptions, batch_size: int, train_samples: int) -> int:
    """Batches of one epoch, as Lightning limits them."""
    epoch = max(1, train_samples // batch_size)
    limit = options.overfit_batches or options.limit_train_batches
    if limit is None or limit == 0:
        return epoch
    return max(1, int(epoch * limit)) if isinstance(limit, float) else min(epoch, limit)


def processes(machine: AcceleratorOptions) -> int:
    """How many processes train together."""
    devices = machine.devices
    if isinstance(devices, list):
        return len(devices) * machine.num_nodes
    if isinstance(devices, str) and devices.isdigit():
        devices = int(devices)
    if isinstance(devices, str):
        devices = 1 if machine.uses_cpu else available_devices(machine.accelerator)
    return devices * machine.num_nodes


class _NoProfiler(PassThroughProfiler):
    """Lightning's own makes a generator for each of the eighty hooks of a step; this one looks up nothing."""

    profile = defaultdict(nullcontext).__getitem__  # type: ignore[assignment, var-annotated]  # one for each hook's name


def batch_count(examples: int | None, batch_size: int) -> int | None:
    """Batches that hold at least so many examples."""
    return None if examples is None else max(1, -(-examples // batch_size))


def validation_interval(
    options: TrainerOptions, batch_size: int, train_samples: int | None = None
) -> tuple[int | float | None, int | None]:
    """Lightning's (val_check_interval, check_val_every_n_epoch) from whichever option was given.

    A run that would end before its first validation is validated at its end, where ``train_samples`` and the
    budgets tell when that is.
    """
    every, epochs = options.val_check_interval, options.check_val_every_n_epoch
    if options.val_every_examples is not None:
        every, epochs = batch_count(options.val_every_examples, batch_size), None
    elif not isinstance(every, int):
        epochs = epochs or 1
    if train_samples is None:
        return every, epochs
    budget = budget_batches(options, batch_size, train_samples)
    epoch = epoch_batches(options, batch_size, train_samples)
    within = every if isinstance(every, int) else int(epoch * (1.0 if every is None else every))
    first = within + ((epochs or 1) - 1) * epoch
    return (budget, None) if budget is not None and first > budget else (every, epochs)
