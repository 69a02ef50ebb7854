"""What keeps a run's status true while it trains, and turns a signal into a stop between two batches."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytorch_lightning as pl

from ganvas.callback.checkpoint import validation_is_due
from ganvas.callback.health import findings
from ganvas.callback.write_errors import tolerate_write_errors, write_errors
from ganvas.functional.distributed import max_over_ranks
from ganvas.run.distributed.rank_info import find_rank
from ganvas.run.folder import journal
from ganvas.run.folder.run_folder import RunFolder
from ganvas.run.process.signals import handle

log = logging.getLogger("ganvas")

_ECHO = 1.0  # seconds in which a launcher hands on what the terminal or the cluster sent to all processes
_VALIDATION_LEFT_OUT = "ganvas_validation_left_out"


class Lifeline(pl.Callback):
    """The first callback of every run.

    A signal asks for a stop: the batch is ended (never between the steps of D and G), its state written by
    the Checkpoint callback, and the process ends with 128 + the signal's number. A second one ends it at
    once. A validation that is due after that batch is left out, and made when the run is resumed.

    Args:
        folder: the run.
        max_seconds: budget on the clock, over all processes of the run; None: none.
        every_seconds: how often status.json is written.
        is_handed_on: a launcher stands above this process: the same signal may come twice.
    """

    def __init__(
        self,
        folder: RunFolder,
        *,
        max_seconds: float | None = None,
        every_seconds: float = 5.0,
        is_handed_on: bool = False,
    ) -> None:
        self.folder, self.max_seconds, self.every_seconds = folder, max_seconds, every_seconds
        self.is_handed_on, self._caught = is_handed_on, 0.0
        self.signal: int | None = None
        self.trained = False  # whether fit got as far as training
        self.is_finals_due = False  # the run was killed between its last checkpoint and its end
        self._before, self._began = 0.0, time.monotonic()
        self._written = self._began
        self._left_out = False
        self._told = 0  # findings that stand in status.json

    def catch(self, number: int, frame: FrameType | None) -> None:
        """The handler."""
        if self.signal is None:
            self.signal, self._caught = number, time.monotonic()
        elif not self._is_echo(number):
            if find_rank().is_first:
                self._write_status(None, state="interrupted")
            os._exit(128 + self.signal)

    def _is_echo(self, number: int) -> bool:
        """Whether a further signal says nothing new, so that the run still saves its state.

        SLURM sends USR2, SIGTERM and, through srun, SIGTERM again; what takes too long it ends by force.
        """
        if "SLURM_JOB_ID" in os.environ and number != signal.SIGINT:
            return True
        return self.is_handed_on and time.monotonic() - self._caught < _ECHO

    def handle_signals(self) -> Callable[[], None]:
        """Installs the handlers (main thread only); returns what puts the old ones back."""
        return handle(self.catch)

    def state_dict(self) -> dict[str, Any]:
        return {"seconds": self._seconds()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._before, self._began = float(state_dict["seconds"]), time.monotonic()

    def _seconds(self) -> float:
        return self._before + time.monotonic() - self._began

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.trained = True
        _begin_epoch(trainer)

    def make_up(self, trainer: pl.Trainer) -> None:
        """The validation that the stopped run left out, if any."""
        if not self._left_out:
            return
        self._left_out = False
        loop = trainer.fit_loop.epoch_loop.val_loop
        trainer.validating = True
        loop.restarting = False
        loop.run()
        trainer.training = True

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        time_is_up = self.max_seconds is not None and self._seconds() >= self.max_seconds
        # All ranks stop after the same batch: the largest of 0 (go on), 1 (time is up), 1 + signal.
        asked = max_over_ranks(1 + self.signal if self.signal is not None else int(time_is_up))
        if asked:
            trainer.should_stop = True
        if asked > 1:
            self.signal = self.signal or asked - 1
            # Asked as if training went on; what `should_stop` brings is no validation of the run's plan.
            trainer.should_stop = False
            self._left_out = validation_is_due(trainer)
            trainer.should_stop = True
            trainer.stopped_by_signal = True  # type: ignore[attr-defined]  # read by callbacks: no last metrics
            trainer.limit_val_batches = 0  # no validation on the way out
        now = time.monotonic()
        news = len(findings(trainer)) > self._told
        if (now - self._written > self.every_seconds or news) and trainer.is_global_zero:
            self._written = now
            self._write_status(trainer, examples_seen=pl_module.examples_seen)

    def on_exception(self, trainer: pl.Trainer, pl_module: Any, exception: BaseException) -> None:
        """What was found in a run's last batch often is why it failed."""
        if len(findings(trainer)) > self._told and trainer.is_global_zero:
            self._write_status(trainer)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if self.is_finals_due and not self.trained:
            others = [one for one in trainer.callbacks if one is not self]  # type: ignore[attr-defined]
            for hook in ("on_train_start", "on_train_end"):  # the last callback makes up for a validation
                for callback in others:
                    getattr(callback, hook)(trainer, pl_module)

    def on_save_checkpoint(self, trainer: pl.Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """What a resume needs beside the state: a validation to make up for, and the sizes of the logs."""
        checkpoint[_VALIDATION_LEFT_OUT] = self._left_out
        if trainer.is_global_zero:
            for logger in trainer.loggers:
                if hasattr(logger, "flush"):
                    with tolerate_write_errors(trainer, type(logger).__name__):
                        logger.flush()
            checkpoint[journal.KEY] = journal.sizes(self.folder.path)

    def on_load_checkpoint(self, trainer: pl.Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        self._left_out = bool(checkpoint.get(_VALIDATION_LEFT_OUT, False))

    def _write_status(self, trainer: pl.Trainer | None, **values: Any) -> None:
        if trainer is not None and (events := write_errors(trainer).events):
            values["write_errors"] = events
        if trainer is not None and (found := findings(trainer)):
            values["health"], self._told = found, len(found)
        try:
            self.folder.write_status(**values)
        except OSError as error:
            if trainer is not None:
                write_errors(trainer).failed("status.json", error)
        else:
            if trainer is not None:
                write_errors(trainer).works("status.json")


def _begin_epoch(trainer: pl.Trainer) -> None:
    """Where the checkpoint is of an epoch's last batch: the next epoch begins like any other.

    Lightning has ended the old one by now, but takes the next for its rest: it would neither count it nor
    call its ``on_train_epoch_start``, and would count a validation that nobody made.
    """
    loop, inner = trainer.fit_loop, trainer.fit_loop.epoch_loop
    if inner.restarted_on_train_batch_end and inner.batch_progress.is_last_batch:
        inner.batch_progress.increment_completed()
        inner._batches_that_stepped += 1
        inner.reset_restart_stage()
        inner.restarting = False
        loop.reset_restart_stage()


class MakeUp(pl.Callback):
    """The last callback of every run: once all are ready, the validation that a stop left out."""

    def __init__(self, lifeline: Lifeline) -> None:
        self.lifeline = lifeline

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.lifeline.make_up(trainer)
