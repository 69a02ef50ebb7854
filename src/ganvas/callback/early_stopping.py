"""Ends training where a scalar has not become better for so many examples."""

from __future__ import annotations

import logging
import math
from typing import Any

import pytorch_lightning as pl

from ganvas.callback.agenda import Due
from ganvas.callback.run_state import RunCallback
from ganvas.errors import require
from ganvas.functional.checked_values import number, whole
from ganvas.functional.distributed import max_over_ranks

log = logging.getLogger("ganvas")


class EarlyStopping(RunCallback):
    """Asks for the end of training at the first batch at which its patience is over.

    It looks at each new value of a scalar of metrics.jsonl. A value that a validation or an evaluation
    brings ends training at the next batch. A run that is killed and resumed ends at the same batch, since
    what it has seen is in every checkpoint; so do all ranks.

    Args:
        monitor: the scalar, e.g. ``validation/psnr`` or ``evaluation/fid``; None: a run refuses it.
        mode: which of its values are good: ``min`` or ``max``.
        patience_examples: examples without a better value, from the best one to the newest.
        min_delta: by how much a value must be better to count, in the scalar's own unit.

    Raises:
        OptionError: an option out of its range.
    """

    def __init__(
        self, *, monitor: str | None, mode: str = "min", patience_examples: int, min_delta: float = 0.0
    ) -> None:
        require(mode in ("min", "max"), "mode", mode, "must be min or max")
        require(patience_examples > 0, "patience_examples", patience_examples, "must be at least 1")
        require(min_delta >= 0, "min_delta", min_delta, "must be 0 or more")
        self.monitor, self.patience_examples, self.min_delta = monitor or "", patience_examples, min_delta
        self.sign = 1 if mode == "min" else -1
        self._best, self._best_at, self._newest_at = math.inf, 0, 0  # smaller is better; examples

    def state_dict(self) -> dict[str, Any]:
        return {"best": self._best, "best_at": self._best_at, "newest_at": self._newest_at}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        best = number(state_dict, "best", finite=False)
        best_at, newest_at = whole(state_dict, "best_at"), whole(state_dict, "newest_at")
        if best_at > newest_at:
            raise ValueError(f"best_at is {best_at}, after the newest value at {newest_at}")
        self._best, self._best_at, self._newest_at = best, best_at, newest_at

    def ends_after(self, waited: int) -> bool:
        """Whether so many examples without a better value are the end."""
        return waited >= self.patience_examples

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if self._is_over():  # resumed from the last batch, before its end
            self._stop(trainer)

    def next_due(self) -> Due:
        return Due()  # a report calls it, and a validation asks for a call

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._look()
        if max_over_ranks(int(self._is_over())):  # a metric may be known to the first rank alone
            self._stop(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if not trainer.sanity_checking:
            self._look()
            if self._is_over() and self.state.agenda is not None:
                self.state.agenda.now = True  # at the next batch, so that its checkpoint is like any other

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        # A process before this one may have had it, and of some scalars the first rank alone knows.
        if trainer.is_global_zero and not self._newest_at:
            self.state.never_reported("early stopping", "callback.early_stopping.monitor", self.monitor)

    def _look(self) -> None:
        examples, value = self.state.reported.get(self.monitor, (0, math.nan))
        if examples <= self._newest_at:
            return
        self._newest_at = examples
        score = self.sign * value
        if score < self._best - self.min_delta:  # false for what is no number
            self._best, self._best_at = score, examples

    def _is_over(self) -> bool:
        return self.ends_after(self._newest_at - self._best_at)

    def _stop(self, trainer: pl.Trainer) -> None:
        trainer.should_stop = True
        if self.state.stopped_early is None:
            best = f"{self.sign * self._best:.6g}" if math.isfinite(self._best) else "nothing"
            says = f"{self.monitor} was best at {self._best_at:,} examples ({best}), and not better since"
            self.state.stopped_early = {"says": says, "waited": self._newest_at - self._best_at}
            log.info("early stopping: %s", says)
