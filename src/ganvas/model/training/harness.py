"""What surrounds the steps of a recipe and most of them do not meet: undoing, ranks, reports, what broke."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from ganvas.functional.distributed import (
    is_distributed,
    mean_over_ranks_,
    rank,
    sum_over_ranks,
    world_size,
)
from ganvas.functional.finite import non_finite_name
from ganvas.functional.precision import widest_float
from ganvas.functional.schedule import Schedule, Scheduled
from ganvas.functional.sharding import is_sharded
from ganvas.model.training.descent import Descent, lay_moments_like_parameters
from ganvas.model.training.device_guard import DeviceGuard, Step
from ganvas.model.training.guard import looked_at
from ganvas.model.training.lifecycle import Lifecycle
from ganvas.model.training.lightning_internals import batch_counters, listeners
from ganvas.model.training.micro_batches import MicroBatches
from ganvas.model.training.mistakes import Named, wrong_step, wrong_value
from ganvas.model.training.moving import all_schedules, scheduled_parts
from ganvas.model.training.snapshot import BufferSnapshot, running_statistics, tensors_changed_by_forward


class Harness(Lifecycle):
    """The half of :class:`ganvas.model.training.recipe.Recipe` that knows what a step may leave behind."""

    _x: Tensor

    decides_on_device: bool | None = None  # None: where that spares the host a wait, on CUDA
    _is_distributed, _is_sharded, _rank, _world_size = False, False, 0, 1

    def __init__(self, *, seed: int) -> None:
        super().__init__(seed=seed)
        self._snapshots: dict[str, BufferSnapshot] = {}
        self._listeners: dict[str, list[Any]] = {}
        self._touched: dict[str, torch.nn.Module] = {}
        self._parts: MicroBatches | None = None
        self._begin: list[Callable[[], None]] = []
        self._scheduled: list[Scheduled] = []
        self._schedules: dict[str, Schedule] = {}
        self.agenda: Any = None  # of a run: calls its callbacks where one has something to do
        self._noted: dict[str, Tensor] = {}
        self._descended: tuple[str, ...] = ()
        self._global_batch_size = 0
        self._any_made: bool | Tensor = False
        self._device_guard: DeviceGuard | None = None

    def on_train_start(self) -> None:
        """Looks up what would otherwise be looked for at every step; buffers and parameters are final now."""
        self._is_distributed, self._rank, self._world_size = is_distributed(), rank(), world_size()
        trainable = {
            name: [p for p in network.parameters() if p.requires_grad]
            for name, network in self.networks.items()
        }
        self._trainable = Named("frozen", "no optimizer moves a network of this name", trainable)
        self._touched = self.touched
        changed = {name: list(tensors_changed_by_forward(one)) for name, one in self._touched.items()}
        self._snapshots = {name: BufferSnapshot(places) for name, places in changed.items() if places}
        self._parts = None
        if self.micro_batches > 1:
            snapshots = [BufferSnapshot(places) for places in changed.values()]
            self._parts = MicroBatches(self.micro_batches, snapshots)
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        optimizers = self.trainer.strategy.optimizers
        for descent, optimizer in zip(self._descents.values(), optimizers, strict=True):
            networks = [getattr(self, name) for name in descent.networks]
            descent.optimizer, descent.network = optimizer, networks[0]
            lay_moments_like_parameters(optimizer)
            descent.parameters = list(dict.fromkeys(p for network in networks for p in network.parameters()))
            if scaler is not None:  # one of its own: one network's overflow says nothing of another's
                descent.scaler = copy.deepcopy(scaler)
                descent.scaler.load_state_dict(self._scaler_states.get(descent.name, scaler.state_dict()))
        moved = itertools.chain(*(descent.parameters for descent in self._descents.values()))
        self._is_sharded = any(is_sharded(parameter) for parameter in moved)
        on_device = self.decides_on_device
        if on_device is None:
            on_device = self.device.type == "cuda" and not self._is_sharded
        may = on_device and DeviceGuard.fits(optimizers)
        self._device_guard = DeviceGuard(self._judge) if may else None
        parts = [module for one in self._touched.values() for module in one.modules()]
        self._begin = [call for one in parts if callable(call := getattr(one, "begin_step", None))]
        self._scheduled = list(scheduled_parts(self).values())
        self._schedules = all_schedules(self, self._descents.values())
        self._listeners = listeners(self.trainer)
        self._count_batch = batch_counters(self.trainer)

    def on_train_end(self) -> None:
        self._settle()
        for network in self.touched.values():
            for module in network.modules():
                if callable(end := getattr(module, "end_steps", None)):
                    end()

    def _settle(self) -> None:
        """Lets the host learn of all steps that were made."""
        if self._device_guard is not None:
            self._device_guard.settle()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._settle()
        super().on_save_checkpoint(checkpoint)

    def _finish_report(self) -> None:
        if not self._descended and (self.batches_seen + 1) % self.log_period == 0:
            reason = (
                "moved nothing on a batch on which it does everything; call self.descend, or set log_period"
            )
            raise wrong_step(type(self).__name__, reason)
        self.report |= self._noted
        for name, schedule in self._schedules.items():
            self.report[f"schedule/{name}"] = torch.tensor(schedule(self.examples_seen))
        for tag, value in self.report.items():
            if value.ndim:
                raise wrong_value(tag, value)
        if self.guard.total:
            self.report["non_finite/skipped"] = torch.tensor(float(self.guard.total))
        if self._is_distributed and self.report:
            # Each is the mean over its rank's share of the batch, or the same on all.
            kind = widest_float(self.device)
            values = torch.stack([value.to(self.device, kind) for value in self.report.values()])
            mean_over_ranks_([values])
            self.report = dict(zip(self.report, values, strict=True))

    def _mean_over_ranks(self, descent: Descent, loss: Tensor) -> None:
        """Gradients of the global batch's mean loss: one flat all-reduce, after any double backward.

        With it go the loss, so that all ranks decide alike about the step, and the running statistics of the
        networks that nothing will be differentiated through any more: each rank's are of its share of the
        batch (under accelerator.sync_batchnorm of all, and their mean changes nothing). Backward has made the
        gradients of sharded parameters means already.
        """
        gradients = [p.grad for p in descent.parameters if p.grad is not None and not is_sharded(p.grad)]
        names = dict.fromkeys(descent.touched + self._descended)
        statistics = [value for name in names for value in running_statistics(getattr(self, name))]
        mean_over_ranks_([*gradients, *statistics, loss])

    def _describe(self, name: str) -> Step:
        where = f"batch {self.batches_seen + 1}, after {self.examples_seen:,} examples"
        return Step(name, self._noted, self._x, where)

    def _judge(self, step: Step, *, made: bool) -> None:
        """Notes how a step went; ends the run where it was not made and the policy says so."""
        if made:
            self.guard.last_terms[step.name] = step.terms
            self.guard.consecutive_skips[step.name] = 0
            return
        for snapshot in self._snapshots.values():
            snapshot.ask_quantizers()
        broken = self._first_broken(step) or f"loss/{step.name}"
        if self.guard.skips(step.name, broken, step.where):
            return
        self._restore(self._touched)
        parameters = {name: dict(network.named_parameters()) for name, network in self.networks.items()}
        raise self.guard.error(broken, step.where, non_finite_name(parameters))

    def _first_broken(self, step: Step) -> str | None:
        """``data`` or the first noted term that is not finite on any rank; the same answer on all of them."""
        numbers = {"data": (step.x * 0).sum(), **looked_at(step.terms)}  # 0 * inf is NaN
        stacked = torch.stack([number.detach().to(self.device, torch.float32) for number in numbers.values()])
        finite = sum_over_ranks(stacked).isfinite().tolist()
        return next((name for name, good in zip(numbers, finite, strict=True) if not good), None)

    def _snapshot(self, networks: Iterable[str]) -> None:
        for name in networks:
            if name in self._snapshots:
                self._snapshots[name].take()

    def _restore(self, networks: Iterable[str]) -> None:
        """Undoes what forward passes have changed in these networks since their last snapshot."""
        for name in dict.fromkeys(networks):
            if name in self._snapshots:
                self._snapshots[name].restore()

    def _tell(self, hook: str, *arguments: Any) -> None:
        """Lightning's hooks between backward and step, for a user's callbacks; ours have none of them."""
        for callback in self._listeners.get(hook, ()):
            getattr(callback, hook)(self.trainer, self, *arguments)
