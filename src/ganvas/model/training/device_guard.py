"""The guard where the host must not wait: an accelerator decides about each step, and tells a batch later.

Reading a loss makes the host wait until the device has computed it, and the device then waits for the next
batch. So whether a step is finite stays on the device. By a number that the host has not seen, a fused
optimizer passes over the step (as a GradScaler lets it), buffers are put back, the average stays. What the
host does about it, by the run's policy, comes before the next batch: the run stops one batch late, with the
weights of a run that skipped the step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from ganvas.functional.gradients import clip_gradients
from ganvas.model.training.descent import Descent
from ganvas.model.training.snapshot import BufferSnapshot


@dataclass
class Step:
    """One step as the host remembers it until it learns how it went.

    Attributes:
        name: of the optimizer.
        terms: what was noted of it, by tags of the logs.
        x: the batch's samples.
        where: batch and examples, for messages.
    """

    name: str
    terms: Mapping[str, Tensor]
    x: Tensor
    where: str


@dataclass
class DeviceGuard:
    """Makes steps on the device where they are finite.

    Args:
        judge: told of each step, in order, and whether it was made; it raises where the policy is to stop.
    """

    judge: Callable[..., None]
    _steps: list[Step] = field(default_factory=list)
    _flags: list[Tensor] = field(default_factory=list)
    _waiting: list[tuple[list[Step], Tensor, Any]] = field(default_factory=list)

    @staticmethod
    def fits(optimizers: Sequence[Optimizer]) -> bool:
        """Whether all of them can leave out a step by a number on the device (torch's fused ones)."""
        return all(getattr(optimizer, "_step_supports_amp_scaling", False) for optimizer in optimizers)

    def step(
        self,
        descent: Descent,
        step: Step,
        *,
        loss: Tensor,
        norm: Tensor,
        examples: int,
        seen: int,
        snapshots: Sequence[BufferSnapshot],
    ) -> Tensor:
        """Makes the step unless its numbers are not finite; then puts back what the snapshots hold.

        Returns:
            Whether it was made, a bool scalar on the device.
        """
        finite = (loss if descent.scaler is not None else loss + norm).isfinite()
        if descent.grad_clip is not None:
            clip_gradients(descent.parameters, descent.grad_clip, norm)
        if descent.scaler is not None:
            descent.scaler.step(descent.optimizer)
        else:
            optimizer: Any = descent.optimizer
            optimizer.grad_scale, optimizer.found_inf = None, (~finite).float()
            optimizer.step()
            del optimizer.grad_scale, optimizer.found_inf
        for snapshot in snapshots:
            snapshot.restore_unless(finite)
        if descent.average is not None:
            descent.average.update(descent.network, finite * (examples * descent.interval), seen)
        self._steps.append(step)
        self._flags.append(finite)
        return finite

    @staticmethod
    def show_to_scaler(descent: Descent, loss: Tensor) -> None:
        """Makes a scaler, which looks at gradients alone, pass over the step of a loss that is not finite."""
        gradients = [p.grad for p in descent.parameters if p.grad is not None]
        torch._foreach_add_(gradients, torch.where(loss.isfinite(), 0.0, torch.inf))

    def end_batch(self) -> None:
        """Sends this batch's decisions on their way to the host."""
        if not self._flags:
            return
        flags = torch.stack(self._flags)
        event = None
        if flags.device.type == "cuda":
            flags = torch.empty(len(flags), dtype=torch.bool, pin_memory=True).copy_(flags, non_blocking=True)
            event = torch.cuda.Event()
            event.record()
        self._waiting.append((self._steps, flags, event))
        self._steps, self._flags = [], []

    def settle(self) -> None:
        """Tells of all steps of earlier batches; the host waits for the last of them."""
        waiting, self._waiting = self._waiting, []
        for steps, flags, event in waiting:
            if event is not None:
                event.synchronize()
            for step, made in zip(steps, flags.tolist(), strict=True):
                self.judge(step, made=made)
