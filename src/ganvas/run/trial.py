"""A few batches of an experiment on the CPU, to see that it works and what it costs; nothing is written."""

from __future__ import annotations

import statistics
import time
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from ganvas.run.config.budget import beyond_budget
from ganvas.run.init_from import begin_with_other
from ganvas.run.parts import Parts, build_parts
from ganvas.run.prepare import configure
from ganvas.run.trainer import budget_batches, make_trainer, processes

_LONGEST = 64  # batches in which everything that a step may do is looked for
_TIMED = 5  # batches whose time is taken, after those
_ONE_CPU: dict[str, Any] = {
    "accelerator": "cpu",
    "devices": 1,
    "num_nodes": 1,
    "strategy": "auto",
    "compile": False,
}
_NOTHING_ELSE: dict[str, Any] = {
    "max_examples": None,
    "max_epochs": None,
    "max_time": None,
    "num_sanity_val_steps": 0,
    "fast_dev_run": False,
    "overfit_batches": 0,
    "limit_train_batches": None,
    "profiler": None,
    "enable_model_summary": False,
    "non_finite": "stop",
}


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What was seen; sizes in bytes.

    Attributes:
        parameters: trained parameters by network.
        samples: by split.
        sample_shape: sizes of one sample.
        batch_size: samples of one process's batch.
        batches: batches until the run ends; None where a clock alone ends it.
        steps: steps of each optimizer in these batches, by network; none where a clock alone ends the run.
        seconds_per_batch: on this CPU, the mean over all that a step may do.
        report: the scalars of the last batch that reports, by tag.
        weights, gradients, optimizer_state: of all networks, with averages and statistics.
        activations: most that the forward passes of a step kept for its backward passes at one time.
        remarks: what the parts do badly together, a line each.
        too_short_for: what the options ask for and the run's budget never comes to, a line each.
    """

    parameters: dict[str, int]
    samples: dict[str, int]
    sample_shape: tuple[int, ...]
    batch_size: int
    batches: int | None
    steps: dict[str, int]
    seconds_per_batch: float
    report: dict[str, float]
    weights: int
    gradients: int
    optimizer_state: int
    activations: int
    remarks: list[str]
    too_short_for: list[str]


def try_out(config: dict[str, Any], look: Callable[[Parts], None] | None = None) -> Trial:
    """Builds all parts of a composed config and trains it for some batches, in this process.

    Args:
        config: as ``train`` gets it; it is changed where a null is chosen for it.
        look: called with the parts before they train.

    Raises:
        OptionError: whatever ``ganvas train`` would refuse before it writes.
        NonFiniteError: the numbers of the first batches are not finite.
    """
    parts = build_parts(config)
    data, model = parts.data, parts.model
    begin_with_other(model, config)
    if look is not None:
        look(parts)
    too_short_for = beyond_budget(model, parts.callbacks, data, parts.options)
    world = processes(parts.machine)
    batches = budget_batches(parts.options, data.batch_size, data.num_samples("train"))
    everything = min(_LONGEST, model.log_period)
    precision = parts.machine.precision if parts.machine.precision != "16-mixed" else "32-true"
    machine = replace(parts.machine, precision=precision, **_ONE_CPU)
    data.batch_size //= world
    watch = _Watch(everything)
    steps = everything + max(_TIMED, everything)
    options = replace(parts.options, max_steps=steps, log_every_examples=data.batch_size, **_NOTHING_ELSE)
    trainer = make_trainer(
        options,
        machine,
        batch_size=data.batch_size,
        callbacks=[watch],
        loggers=[],
        run_dir="",
        has_validation=False,
    )
    configure(model, options, machine, batch_size=data.batch_size)
    trainer.fit(model, datamodule=data)
    weights = [*model.parameters(), *model.buffers()]
    trained = [p for p in model.parameters() if p.grad is not None]
    states = [value for one in trainer.optimizers for state in one.state.values() for value in state.values()]
    return Trial(
        parameters={
            name: sum(p.numel() for p in network.parameters()) for name, network in model.networks.items()
        },
        samples={name: data.num_samples(name) for name in ("train", "val", "test")},
        sample_shape=tuple(data.sample_shape),
        batch_size=data.batch_size,
        batches=batches,
        steps={name: batches // every for name, every, _ in model.step_intervals()} if batches else {},
        seconds_per_batch=watch.seconds_per_batch(),
        report=watch.report,
        weights=_bytes(weights),
        gradients=_bytes(trained),
        optimizer_state=_bytes([value for value in states if isinstance(value, Tensor)]),
        activations=watch.most_kept,
        remarks=model.remarks(),
        too_short_for=too_short_for,
    )


def _bytes(tensors: list[Any]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


class _Watch(pl.Callback):
    """Counts what the first batches keep for their backward passes, and times those after them."""

    def __init__(self, counted: int) -> None:
        self.counted = counted
        self.report: dict[str, float] = {}
        self.most_kept = 0
        self._kept: dict[int, tuple[int, int]] = {}  # address of a storage -> users, bytes
        self._now = 0  # bytes of all of them
        self._batch = 0  # since the beginning: an epoch of few batches begins again and again
        self._times: list[float] = []
        self._hooks = ExitStack()

    def seconds_per_batch(self) -> float:
        """The mean over the last whole period, in which each batch may do something else; else the median."""
        times = self._times
        return statistics.mean(times[-self.counted :]) if self.counted > 1 else statistics.median(times)

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if self._batch < self.counted:
            own = {value.untyped_storage().data_ptr() for value in pl_module.parameters()}
            self._hooks.enter_context(saved_tensors_hooks(lambda tensor: self._pack(tensor, own), _unpack))
        self._began = time.perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._batch >= self.counted:
            self._times.append(time.perf_counter() - self._began)
        self._batch += 1
        self._hooks.close()
        self.report |= {tag: float(value) for tag, value in pl_module.report.items()}

    def _pack(self, tensor: Tensor, own: set[int]) -> _Kept:
        kept, storage = _Kept(tensor), tensor.untyped_storage()
        place = storage.data_ptr()
        if place not in own:  # weights are there anyway
            users, size = self._kept.get(place, (0, storage.nbytes()))
            self._kept[place] = users + 1, size
            self._now += 0 if users else size
            self.most_kept = max(self.most_kept, self._now)
            weakref.finalize(kept, self._let_go, place)
        return kept

    def _let_go(self, place: int) -> None:
        users, size = self._kept.pop(place)
        if users > 1:
            self._kept[place] = users - 1, size
        else:
            self._now -= size


class _Kept:
    """One tensor that a graph holds until its backward pass."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


@torch.no_grad()
def _unpack(kept: _Kept) -> Tensor:
    return kept.tensor
