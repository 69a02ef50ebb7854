"""A signal, or the end of a budget of time, turned into a stop between two batches."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

import pytorch_lightning as pl

from ganvas.callback.agenda import Due
from ganvas.callback.run_state import RunCallback
from ganvas.functional.checked_values import number
from ganvas.functional.distributed import max_over_ranks
from ganvas.run.deferred_validation import DeferredValidation
from ganvas.run.distributed.rank_info import find_rank
from ganvas.run.folder.run_folder import RunFolder
from ganvas.run.process.signals import handle

_ECHO_SECONDS = 1.0  # within which a launcher hands on what the terminal or the cluster sent to all processes


class StopOnSignal(RunCallback):
    """Ends training after the batch in which a signal came, or in which ``max_seconds`` were over.

    The batch is ended (never between the steps of D and G), its state written by the callback Checkpoint, and
    the process ends with 128 + the signal's number. A second signal ends it at once. A validation that is due
    after that batch is left to the resumed run. All ranks stop after the same batch.

    Args:
        folder: the run.
        deferred: the run's callback that is told to make up for a validation.
        max_seconds: budget on the clock, over all processes of the run; None: none.
        is_handed_on: a launcher stands above this process: the same signal may come twice.

    Attributes:
        signal: the first signal that came to any rank; None: none.
    """

    def __init__(
        self,
        folder: RunFolder,
        deferred: DeferredValidation,
        *,
        max_seconds: float | None = None,
        is_handed_on: bool = False,
    ) -> None:
        self.folder, self.deferred = folder, deferred
        self.max_seconds, self.is_handed_on = max_seconds, is_handed_on
        self.signal: int | None = None
        self._caught_at = 0.0
        self._seconds_before, self._began_at = 0.0, time.monotonic()

    def handle_signals(self) -> Callable[[], None]:
        """Installs the handlers (main thread only); returns what puts the old ones back."""
        return handle(self.catch)

    def catch(self, number: int, frame: FrameType | None) -> None:
        """The handler."""
        if self.signal is None:
            self.signal, self._caught_at = number, time.monotonic()
            if self.state.agenda is not None:
                self.state.agenda.now = True
        elif not self._is_echo(number):
            if find_rank().is_first:
                with suppress(OSError):
                    self.folder.write_status(state="interrupted")
            os._exit(128 + self.signal)

    def _is_echo(self, number: int) -> bool:
        """Whether a further signal says nothing new, so that the run still saves its state.

        SLURM sends USR2, SIGTERM and, through srun, SIGTERM again; what takes too long it ends by force.
        """
        if "SLURM_JOB_ID" in os.environ and number != signal.SIGINT:
            return True
        return self.is_handed_on and time.monotonic() - self._caught_at < _ECHO_SECONDS

    def state_dict(self) -> dict[str, Any]:
        return {"seconds": self._seconds()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._seconds_before, self._began_at = number(state_dict, "seconds", least=0), time.monotonic()

    def _seconds(self) -> float:
        """Trained so far, by all processes of the run."""
        return self._seconds_before + time.monotonic() - self._began_at

    def next_due(self) -> Due:
        if self.max_seconds is None:
            return Due()
        return Due(time=self._began_at + self.max_seconds - self._seconds_before)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        time_is_up = self.max_seconds is not None and self._seconds() >= self.max_seconds
        # The largest over the ranks of 0 (go on), 1 (time is up), 1 + signal.
        asked = max_over_ranks(1 + self.signal if self.signal is not None else int(time_is_up))
        if asked > 1:
            self.signal = self.signal or asked - 1
            self.state.stopped_by_signal = True
            self.deferred.leave_out(trainer)
        if asked:
            trainer.should_stop = True
