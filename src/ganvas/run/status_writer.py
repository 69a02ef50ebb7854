"""status.json of a run that trains."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl

from ganvas.callback.agenda import Due
from ganvas.callback.run_state import RunCallback, RunState
from ganvas.run.folder.run_folder import RunFolder


class StatusWriter(RunCallback):
    """Keeps status.json true while a run trains; the first rank writes it.

    It is written every few seconds with the examples seen, and at once when Health finds something.

    Args:
        folder: the run.
        every_seconds: how often it is written.
    """

    def __init__(self, folder: RunFolder, *, every_seconds: float = 5.0) -> None:
        self.folder, self.every_seconds = folder, every_seconds
        self._written_at = time.monotonic()
        self._findings_written = 0

    def next_due(self) -> Due:
        return Due(time=0 if self._has_new_findings() else self._written_at + self.every_seconds)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        now = time.monotonic()
        due = now - self._written_at > self.every_seconds or self._has_new_findings()
        if due and trainer.is_global_zero:
            self._written_at = now
            self._write(examples_seen=pl_module.examples_seen)

    def on_exception(self, trainer: pl.Trainer, pl_module: Any, exception: BaseException) -> None:
        """What was found in a run's last batch often is why it failed."""
        if self._has_new_findings() and trainer.is_global_zero:
            self._write()

    def _has_new_findings(self) -> bool:
        return len(self.state.findings) > self._findings_written

    def _write(self, **values: Any) -> None:
        self._findings_written = len(self.state.findings)
        with self.state.tolerate_write_errors("status.json"):
            self.folder.write_status(**values, **status_values(self.state))


def status_values(state: RunState) -> dict[str, Any]:
    """What status.json holds of a run's state: ``write_errors`` and ``health``, each where there are any."""
    values = {"write_errors": state.write_errors.events, "health": state.findings}
    return {name: value for name, value in values.items() if value}
