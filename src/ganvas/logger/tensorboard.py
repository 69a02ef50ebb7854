"""TensorBoard's event files, written so that a full disk ends neither the run nor the file."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from lightning_fabric.loggers.logger import rank_zero_experiment
from pytorch_lightning.loggers import TensorBoardLogger


class TensorBoard(TensorBoardLogger):
    """Lightning's logger, which goes on in a new event file after one could not be written.

    TensorBoard's writer works in a thread of its own; once that has failed, every later call raises, also
    those at the end of the run. Scalars that fell into the failure are in metrics.jsonl.

    Args:
        save_dir: the run's folder.
        name: folder under it, may be empty.
        version: folder under that, which holds the event files.
        default_hp_metric: Lightning's: a scalar ``hp_metric`` of -1 for the tab HPARAMS.
    """

    def __init__(self, *, save_dir: str, name: str, version: str, default_hp_metric: bool) -> None:
        super().__init__(save_dir, name=name, version=version, default_hp_metric=default_hp_metric)
        self._next_file_at = 0.0

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The writer of the event file; opens one where there is none."""
        if self._experiment is None:
            time.sleep(max(0.0, self._next_file_at - time.time()))
        return super().experiment

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Raises OSError where the events cannot be written; the next call opens a new file."""
        try:
            super().log_metrics({self.shown_tag(tag): value for tag, value in metrics.items()}, step)
        except OSError:
            self.reopen()
            raise
        except ValueError as error:  # Lightning takes what the writer raises for a fault of the value
            if not isinstance(error.__cause__, OSError):
                raise
            self.reopen()
            raise error.__cause__ from None

    def shown_tag(self, tag: str) -> str:
        """The name of a scalar in TensorBoard: of ``loss/...`` with a capital, all others as they are.

        TensorBoard lists groups by the alphabet, capitals first, and takes no other order: so losses lead.
        """
        return f"Loss/{tag.removeprefix('loss/')}" if tag.startswith("loss/") else tag

    def flush(self) -> None:
        """Waits until everything logged so far is in the file; raises OSError where it cannot be."""
        if self._experiment is None:
            return
        try:
            self._experiment.flush()
        except OSError:
            self.reopen()
            raise

    def reopen(self) -> None:
        """Leaves the event file as it is; what comes next goes into a new one.

        TensorBoard reads files by the order of their names: whole seconds, then a number without
        leading zeros: the tenth file of a process would come before its ninth, were both of one second.
        """
        self._experiment = None
        self._next_file_at = float(int(time.time()) + 1)

    def save(self) -> None:
        """Nothing: Lightning's writes hparams.yaml, and run.yaml says it all."""

    def finalize(self, status: str) -> None:
        try:
            if self._experiment is not None:
                self._experiment.flush()
                self._experiment.close()
        except OSError:  # reported when it happened; the run's end is not the place to fail
            self.reopen()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_experiment": None}
