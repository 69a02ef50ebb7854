"""Scalars, to every logger and to metrics.jsonl, against examples seen."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor

from ganvas.callback.agenda import Due
from ganvas.callback.run_state import RunCallback, RunState, is_fast_dev_run


class Record(RunCallback):
    """Writes what a recipe reports: ``report`` of a training step, ``validation_report`` of a validation.

    A row of metrics.jsonl is ``{"examples": ..., "batch": ..., tag: value, ...}``; a value that is not
    finite is null there. On a resume the rows beyond the checkpoint are dropped, because they come again.

    Args:
        run_dir: the run's folder.
    """

    def __init__(self, *, run_dir: str) -> None:
        self.run_dir = run_dir

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._since = time.monotonic(), int(pl_module.examples_seen)

    def next_due(self) -> Due:
        return Due()  # a report calls it

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if not pl_module.report:
            return
        values = read_scalars(pl_module.report)
        now, examples = time.monotonic(), int(pl_module.examples_seen)
        before, examples_before = self._since
        self._since = now, examples
        # By the clock on the wall: previews, validations and evaluations in between count as well.
        values["speed/examples_per_second"] = (examples - examples_before) / max(now - before, 1e-9)
        record(trainer, pl_module, self.run_dir, values, self.state)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if pl_module.validation_report and not trainer.sanity_checking:
            record(trainer, pl_module, self.run_dir, pl_module.validation_report, self.state)


def record(
    trainer: pl.Trainer,
    pl_module: Any,
    run_dir: str,
    values: Mapping[str, float],
    state: RunState,
    *,
    once: bool = False,
) -> None:
    """Logs scalars at the examples seen so far and appends one row to metrics.jsonl; rank 0 alone writes.

    The newest value of each tag, with its examples, is kept in ``state`` for whoever ranks by it.

    Args:
        once: these come once in a run: no curve. TensorBoard gets no scalars of them where a callback shows
            them otherwise (its ``shows_results``).
    """
    examples = int(pl_module.examples_seen)
    state.reported.update({tag: (examples, float(value)) for tag, value in values.items()})
    elsewhere = once and any(getattr(one, "shows_results", False) for one in trainer.callbacks)  # type: ignore[attr-defined]
    for logger in trainer.loggers:
        if elsewhere and isinstance(logger, TensorBoardLogger):
            continue
        with state.tolerate_write_errors(type(logger).__name__):
            logger.log_metrics(dict(values), step=examples)
    if trainer.is_global_zero and not is_fast_dev_run(trainer):
        row = {"examples": examples, "batch": trainer.global_step, **values}
        state.append_row(Path(run_dir) / "metrics.jsonl", row)


def read_scalars(report: Mapping[str, Tensor | float]) -> dict[str, float]:
    """Scalar tensors to numbers, with one synchronization for all that lie on an accelerator."""
    values = {tag: value for tag, value in report.items() if not isinstance(value, Tensor)}
    tensors = {tag: value.detach() for tag, value in report.items() if isinstance(value, Tensor)}
    for on_cpu in (True, False):
        group = {tag: value for tag, value in tensors.items() if (value.device.type == "cpu") == on_cpu}
        if group:
            stacked = torch.stack([value.reshape(()).float() for value in group.values()])
            values |= dict(zip(group, stacked.tolist(), strict=True))
    return {tag: float(values[tag]) for tag in report}
