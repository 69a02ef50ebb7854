"""Checkpoints by examples seen and by the clock on the wall, and which of them are kept."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from ganvas.callback.agenda import Due, next_multiple
from ganvas.callback.run_state import RunCallback, is_fast_dev_run
from ganvas.errors import NonFiniteError, RollbackError, require
from ganvas.files.plain import load_json
from ganvas.files.schema import is_finite, is_text, is_whole, mapping, misfit
from ganvas.files.write import write_text
from ganvas.functional.distributed import max_over_ranks
from ganvas.functional.finite import non_finite_name
from ganvas.model.training.lightning_internals import validation_is_due

_SCORES = {"monitor": is_text, "sign": is_whole, "scores": mapping(is_finite)}  # of scores.json


class Checkpoint(RunCallback):
    """Writes checkpoints/<examples>.ckpt at the end of a batch, after everything else that the batch brings.

    So a resumed run neither misses nor repeats a validation, a row or an image. Lightning's ModelCheckpoint
    counts optimizer steps and saves nothing by time under manual optimization (#21699). Kept are the newest
    ``keep_last``, the ``keep_best`` best by ``monitor``, and the first of every ``keep_every_examples``.

    Args:
        run_dir: the run's folder.
        every_examples: examples between two checkpoints; 0: not by examples.
        every_minutes: minutes between two checkpoints, whatever else wrote one; None: not by time.
        keep_last: how many of the newest are kept, at least 1.
        keep_every_examples: the first checkpoint of every so many examples is kept for good; 0 keeps none so.
        monitor: a scalar by its name in metrics.jsonl; each time it is among the best, there is a checkpoint.
        mode: which values of ``monitor`` are good: ``min`` or ``max``.
        keep_best: how many of the best are kept.
    """

    def __init__(
        self,
        *,
        run_dir: str,
        every_examples: int,
        every_minutes: float | None,
        keep_last: int,
        keep_every_examples: int,
        monitor: str | None,
        mode: str,
        keep_best: int,
    ) -> None:
        require(every_examples >= 0, "every_examples", every_examples, "must be 0 (not by examples) or more")
        require(
            every_minutes is None or every_minutes > 0,
            "every_minutes",
            every_minutes,
            "must be positive, or null for none by time",
        )
        require(keep_last >= 1, "keep_last", keep_last, "must be at least 1")
        require(
            keep_every_examples >= 0, "keep_every_examples", keep_every_examples, "must be 0 (none) or more"
        )
        require(mode in ("min", "max"), "mode", mode, "must be min or max")
        require(keep_best >= 1, "keep_best", keep_best, "must be at least 1; monitor=null keeps none")
        self.folder = Path(run_dir) / "checkpoints"
        self.every_examples, self.keep_last = every_examples, keep_last
        self.every_seconds = None if every_minutes is None else every_minutes * 60
        self.keep_every_examples, self.keep_best = keep_every_examples, keep_best
        self.monitor, self.sign = monitor, 1 if mode == "min" else -1
        self._saved_at, self._due, self._failed, self._in_time = 0, False, False, 0.0
        self._scores: dict[int, float] = {}  # examples -> monitored value, smaller is better

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._saved_at, self._due, self._in_time = pl_module.examples_seen, False, time.monotonic()
        self._began, self._end = (pl_module.examples_seen, pl_module.batches_seen), math.inf
        self._scores = self._read_scores(pl_module.examples_seen)

    def out_of_reach(self, max_examples: int, log_every_examples: int) -> list[str]:
        """See :class:`RunCallback`; by examples, by the clock and by a monitor the last state is saved."""
        every = self.keep_every_examples
        if every <= max_examples:
            return []
        rule = f"keeps no checkpoint for good in a run of {max_examples:,} examples"
        return [f"callback.checkpoint.keep_every_examples={every}: {rule}"]

    def next_due(self) -> Due:
        examples = next_multiple(self._saved_at, self.every_examples)
        at = math.inf if self.every_seconds is None else self._in_time + self.every_seconds
        return Due(min(examples, self._end), at)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        examples, every = pl_module.examples_seen, self.every_examples
        # The last batch's state is saved here, before Lightning counts the cut epoch as a whole one.
        a_batch = (examples - self._began[0]) / max(pl_module.batches_seen - self._began[1], 1)
        self._end = examples + a_batch * batches_left(trainer, pl_module)
        self._due = bool(
            trainer.should_stop
            or budget_reached(trainer, pl_module)
            or (every and examples // every > self._saved_at // every)
            or self._time_is_up()
        )
        if not validation_is_due(trainer):
            self._end_batch(trainer, pl_module)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if not trainer.sanity_checking:
            self._end_batch(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if pl_module.examples_seen > self._saved_at:
            self.save(trainer, pl_module)
        elif max_over_ranks(int(self._failed)):  # the last state is worth a second try
            self._save_again(trainer, pl_module)
        self._note_score(trainer, pl_module.examples_seen)  # of the evaluation at the end
        # A process before this one may have had it, and of some scalars the first rank alone knows.
        if trainer.is_global_zero and self.monitor is not None and not self._scores:
            self.state.never_reported("the best checkpoint", "callback.checkpoint.monitor", self.monitor)

    def _time_is_up(self) -> bool:
        if self.every_seconds is None:
            return False
        up = time.monotonic() - self._in_time >= self.every_seconds
        return max_over_ranks(int(up)) > 0  # the ranks' clocks differ, and all of them save

    def _end_batch(self, trainer: pl.Trainer, pl_module: Any) -> None:
        examples = int(pl_module.examples_seen)
        due = self._due
        if self.monitor is not None:  # the first rank alone keeps the ranking
            due = max_over_ranks(int(due or self._is_among_best(self._score(examples)))) > 0
        if due:
            self.save(trainer, pl_module)
        self._due = False

    def save(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Writes the state of now; every rank calls it, the first one writes.

        Where the disk is full the older files stay and the run goes on, to the next checkpoint that is due.

        Raises:
            NonFiniteError: a parameter or an optimizer's number is not finite; nothing is written.
        """
        if is_fast_dev_run(trainer):
            return
        refuse_non_finite(trainer, pl_module)
        examples = int(pl_module.examples_seen)
        self._saved_at, self._in_time = examples, time.monotonic()
        trainer.save_checkpoint(self.folder / f"{examples:012d}.ckpt")
        if trainer.is_global_zero:
            self._note_saved(trainer, examples)

    def _save_again(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Writes the state of the last batch, from which nothing has moved since it could not be written.

        Lightning has counted the cut epoch as a whole one by now: the state of now would be another one.
        """
        held = getattr(trainer.strategy.checkpoint_io, "unsaved", None)
        if not max_over_ranks(int(held is not None)):  # another one's way of writing
            self.save(trainer, pl_module)
        elif held is not None:
            trainer.strategy.checkpoint_io.save_checkpoint(*held)
            self._note_saved(trainer, int(pl_module.examples_seen))

    def _note_saved(self, trainer: pl.Trainer, examples: int) -> None:
        """What the first rank does once the file is written, or could not be."""
        error = getattr(trainer.strategy.checkpoint_io, "error", None)
        self._failed = error is not None
        if error is not None:
            self.state.write_errors.failed("checkpoint", error)
            return  # and nothing is pruned
        self.state.write_errors.works("checkpoint")
        self.state.newest_checkpoint = examples
        self._note_score(trainer, examples)
        self._prune(trainer)

    def _prune(self, trainer: pl.Trainer) -> None:
        there = {int(path.stem): path for path in self.folder.glob("*.ckpt") if path.stem.isdigit()}
        kept = kept_checkpoints(
            sorted(there),
            last=self.keep_last,
            every=self.keep_every_examples,
            best=self._best() if self.monitor is not None else [],
        )
        with self.state.tolerate_write_errors("an old checkpoint (to remove it)"):
            for examples in sorted(there.keys() - kept):
                trainer.strategy.checkpoint_io.remove_checkpoint(there[examples])

    def _score(self, examples: int) -> float | None:
        reported = self.state.reported.get(self.monitor or "")
        if reported is None or reported[0] != examples or reported[1] != reported[1]:
            return None
        return self.sign * float(reported[1])

    def _best(self) -> list[int]:
        return sorted(self._scores, key=lambda examples: (self._scores[examples], examples))[: self.keep_best]

    def _is_among_best(self, score: float | None) -> bool:
        best = self._best()
        return score is not None and (len(best) < self.keep_best or score < self._scores[best[-1]])

    def _note_score(self, trainer: pl.Trainer, examples: int) -> None:
        score = self._score(examples)
        if score is None or not trainer.is_global_zero:
            return
        self._scores[examples] = score
        rows = {str(number): value for number, value in sorted(self._scores.items())}
        with self.state.tolerate_write_errors("checkpoints/scores.json"):
            held = {"monitor": self.monitor, "sign": self.sign, "scores": rows}
            write_text(self.folder / "scores.json", json.dumps(held))

    def _read_scores(self, examples: int) -> dict[int, float]:
        """The scores up to now that an earlier process of the run noted under the same monitor."""
        try:
            held = load_json(self.folder / "scores.json")
            if misfit(held, _SCORES) or (held["monitor"], held["sign"]) != (self.monitor, self.sign):
                return {}
            return {int(key): float(value) for key, value in held["scores"].items() if int(key) <= examples}
        except (OSError, ValueError):
            return {}


def kept_checkpoints(there: list[int], *, last: int, every: int, best: list[int]) -> set[int]:
    """Which of the checkpoints (examples, ascending) stay.

    Args:
        last: the newest so many.
        every: the first one at or after each multiple of so many examples (0: none so).
        best: these, where they are there.
    """
    first_of: dict[int, int] = {}
    if every:
        for examples in there:
            first_of.setdefault(examples // every, examples)
        first_of.pop(0, None)
    return set(there[-last:]) | set(first_of.values()) | (set(best) & set(there))


def refuse_non_finite(trainer: pl.Trainer, pl_module: Any) -> None:
    """Raises NonFiniteError (RollbackError where that is the policy) unless the state can be gone on from."""
    states = {"state_dict": pl_module.state_dict()}
    states |= {f"optimizer {number}": one.state_dict() for number, one in enumerate(trainer.optimizers)}
    name = non_finite_name(states)
    if name is None:
        return
    rolls_back = getattr(getattr(pl_module, "guard", None), "policy", "stop") == "rollback"
    raise (RollbackError if rolls_back else NonFiniteError)(
        name.removeprefix("state_dict."),
        f"after batch {pl_module.batches_seen} ({pl_module.examples_seen} examples); no checkpoint of it is "
        "written; a smaller learning rate or accelerator.precision=32-true usually helps",
    )


def batches_left(trainer: pl.Trainer, pl_module: Any) -> float:
    """Batches until the budgets of batches and epochs end; infinity where there are none."""
    left = [math.inf]
    if trainer.max_steps > 0:
        left.append(trainer.max_steps - trainer.global_step)
    if (trainer.max_epochs or -1) > 0:
        left.append(int(trainer.max_epochs or 0) * int(trainer.num_training_batches) - pl_module.batches_seen)
    return max(min(left), 0)


def budget_reached(trainer: pl.Trainer, pl_module: Any) -> bool:
    """Whether this batch is the budget's last one."""
    return batches_left(trainer, pl_module) == 0
