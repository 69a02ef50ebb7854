"""The one file that uses what Lightning does not offer publicly; tests/test_architecture.py holds that.

Each function says which public thing is missing. After an update of Lightning, read this file first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loops.evaluation_loop import _EvaluationLoop
from pytorch_lightning.loops.fit_loop import _FitLoop
from pytorch_lightning.loops.prediction_loop import _PredictionLoop
from pytorch_lightning.trainer.states import RunningStage, TrainerFn

_BETWEEN = ("on_before_zero_grad", "on_before_backward", "on_after_backward", "on_before_optimizer_step")


def batch_counters(trainer: pl.Trainer) -> tuple[Callable[[], None], ...]:
    """To be called once a batch, so that ``trainer.global_step`` is the number of batches.

    Under manual optimization Lightning counts every step of every optimizer that it has wrapped (#17958), so
    that a GAN's budget would end at half its batches. The steps are made past its wrappers, and counted here.
    """
    progress = trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
    return progress.increment_ready, progress.increment_completed


def listeners(trainer: pl.Trainer) -> dict[str, list[pl.Callback]]:
    """Hook -> the callbacks that have one of those which Lightning calls around its wrapped optimizers."""
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]  # Lightning's connectors set it
    found = {
        hook: [one for one in callbacks if getattr(type(one), hook) is not getattr(pl.Callback, hook)]
        for hook in _BETWEEN
    }
    return {hook: those for hook, those in found.items() if those}


def install_no_signal_handlers(trainer: pl.Trainer) -> None:
    """Keeps Lightning from installing signal handlers of its own in ``fit``.

    Its SIGTERM handler broadcasts from inside the handler, where ranks wait for each other for ever, and ends
    a run at an epoch's end without a checkpoint; its SLURM handlers save within a step. No argument of the
    Trainer turns them off. The run installs its own (:class:`ganvas.run.ending.stop_on_signal.StopOnSignal`).
    """
    trainer._signal_connector.register_signal_handlers = _no_handlers  # type: ignore[method-assign]


def _no_handlers() -> None:
    """In place of Lightning's method."""


def validation_is_due(trainer: pl.Trainer) -> bool:
    """Whether Lightning validates after this batch; asked within ``on_train_batch_end``.

    No hook tells beforehand; the rule depends on epochs, intervals, lengths and ``trainer.should_stop``.
    """
    fetcher = trainer.fit_loop._data_fetcher
    return fetcher is not None and trainer.fit_loop.epoch_loop._should_check_val_fx(fetcher)


def run_validation(trainer: pl.Trainer) -> None:
    """Validates now, in the midst of ``fit``, as Lightning does after a batch.

    ``trainer.validate`` cannot be called within ``fit``.
    """
    loop = trainer.fit_loop.epoch_loop.val_loop
    trainer.validating = True
    loop.restarting = False
    loop.run()
    trainer.training = True


def fresh_loops() -> dict[str, Any]:
    """What a trainer that has done nothing says of its loops in a checkpoint.

    Only a Trainer's own ``save_checkpoint`` tells it, and of what stands in there nothing is documented.
    """
    trainer: Any = None  # loops ask it for nothing as they are made
    loops = {
        "fit_loop": _FitLoop(trainer),
        "validate_loop": _EvaluationLoop(trainer, TrainerFn.VALIDATING, RunningStage.VALIDATING),
        "test_loop": _EvaluationLoop(trainer, TrainerFn.TESTING, RunningStage.TESTING),
        "predict_loop": _PredictionLoop(trainer),
    }
    return {name: loop.state_dict() for name, loop in loops.items()}


def begin_next_epoch(trainer: pl.Trainer) -> None:
    """Where the loaded checkpoint is of an epoch's last batch: the next epoch begins like any other.

    Called within ``on_train_start``. Lightning has ended the old epoch by now, but takes the next for its
    rest: it would neither count it nor call its ``on_train_epoch_start``, and would count a validation that
    nobody made. No option tells it where in its epoch a checkpoint was written.
    """
    loop, inner = trainer.fit_loop, trainer.fit_loop.epoch_loop
    if inner.restarted_on_train_batch_end and inner.batch_progress.is_last_batch:
        inner.batch_progress.increment_completed()
        inner._batches_that_stepped += 1
        inner.reset_restart_stage()
        inner.restarting = False
        loop.reset_restart_stage()
