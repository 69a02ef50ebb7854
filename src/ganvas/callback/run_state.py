"""What the callbacks of one run tell each other and the run, and the base classes of those that know it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import pytorch_lightning as pl

from ganvas.callback.agenda import Agenda, Due, next_early, next_multiple
from ganvas.callback.writing.rows import Rows
from ganvas.callback.writing.write_errors import WriteErrors
from ganvas.errors import require
from ganvas.functional.checked_values import whole


@dataclass
class RunState:
    """One training in one process, from ``fit`` to its end; a resumed or rolled back run begins a new one.

    Attributes:
        max_examples: examples after which training ends; None where only epochs' ends or a clock end it.
        findings: what the callback Health found so far, oldest first, each
            ``{"name", "examples", "metric", "threshold", "says", "try"}``.
        reported: each recorded scalar's newest ``(examples seen, value)``, by its name in metrics.jsonl.
        newest_checkpoint: examples seen of the newest checkpoint on the disk, 0: none; the first rank knows.
        stopped_early: ``{"says", "waited"}`` of what ended training before its budget (``waited`` in
            examples); None: nothing did.
        stopped_by_signal: training was stopped before its end and shall be resumed: no final evaluation.
        write_errors: what could not be written.
        rows: the one writer of each file of rows, so that rows that wait for a full disk are written by
            whichever callback comes next.
        agenda: calls the callbacks after a batch; None where Lightning does.
    """

    max_examples: int | None = None
    findings: list[dict[str, Any]] = field(default_factory=list)
    reported: dict[str, tuple[int, float]] = field(default_factory=dict)
    newest_checkpoint: int = 0
    stopped_early: dict[str, Any] | None = None
    stopped_by_signal: bool = False
    write_errors: WriteErrors = field(default_factory=WriteErrors)
    rows: dict[Path, Rows] = field(default_factory=dict)
    agenda: Agenda | None = None

    @contextmanager
    def tolerate_write_errors(self, what: str) -> Iterator[None]:
        """Turns an OSError inside into an event: a log, an image or a status must not end a run."""
        try:
            yield
        except OSError as error:
            self.write_errors.failed(what, error)
        else:
            self.write_errors.works(what)

    def never_reported(self, what: str, option: str, monitor: str) -> None:
        """Tells, at the end, that ``what`` waited in vain for a scalar that an option names."""
        if self.reported and monitor not in self.reported:
            text = f"{option}={monitor} was never reported; there are: {', '.join(sorted(self.reported))}"
            self.write_errors.failed(what, LookupError(text))

    def append_row(self, path: Path, row: Mapping[str, object]) -> None:
        """Appends to a file of rows; what cannot be written now comes with the next row."""
        with self.tolerate_write_errors(path.name):
            self.rows.setdefault(path, Rows(path)).append(row)


class RunCallback(pl.Callback):
    """A callback that knows its run: ``self.state`` is the :class:`RunState` that all callbacks share.

    Under a plain Trainer that nobody gave a state it has one of its own, so that it works alone; several that
    should know of each other (a Checkpoint by what Record reports) are given one by :func:`give_state`.
    """

    @cached_property
    def state(self) -> RunState:
        """Of the run; a fresh one until :func:`give_state`."""
        return RunState()

    def out_of_reach(self, max_examples: int, log_every_examples: int) -> list[str]:
        """What its options ask for and a run of so many examples never comes to, a line each.

        A line begins with ``callback.option=value: `` and is said as the run starts. What is done once at the
        end, if not before, is not among it.
        """
        return []


class PeriodicCallback(RunCallback, ABC):
    """A callback that acts every so many examples, and once more where training ends.

    It acts after 1, 2, 5, 10, 20, 50 ... times ``first_examples``, as long as that is less than
    ``every_examples``, then after its multiples, and at the end. A stop by a signal is no end: the run that
    goes on from there acts when it is due.

    A checkpoint holds the last time alone, and only acting changes it: a resume before the first time leaves
    the state as it is. What was due before this process began is not made up for, as where an interval is
    shortened, or a checkpoint knows no such callback.

    Args:
        every_examples: examples between two times; 0: none but early ones and the end.
        first_examples: examples of the first early time; 0: none of these.
        zero: what ``every_examples=0`` leaves, in the words of the error.

    Attributes:
        moment: the name in a checkpoint of ``acted_at``.
        acted_at: examples seen when it acted last; -1: not yet.

    Raises:
        OptionError: a number of examples below 0.
    """

    moment: ClassVar[str] = "acted_at"
    acted_at = -1
    _began_at = 0  # examples seen when this process began; no checkpoint holds it

    def __init__(self, every_examples: int, first_examples: int = 0, *, zero: str = "the end alone") -> None:
        require(every_examples >= 0, "every_examples", every_examples, f"must be 0 ({zero}) or more")
        require(first_examples >= 0, "first_examples", first_examples, "must be 0 (no early ones) or more")
        self.every_examples, self.first_examples = every_examples, first_examples

    @abstractmethod
    def act(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Does what is due; every rank calls it. ``acted_at`` is already now."""

    def state_dict(self) -> dict[str, Any]:
        return {self.moment: self.acted_at}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.acted_at = whole(state_dict, self.moment, -1)

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._began_at = int(pl_module.examples_seen)

    def next_due(self) -> Due:
        done = max(self.acted_at, self._began_at)
        early = next_early(done, self.first_examples)
        return Due(early if early < self.every_examples else next_multiple(done, self.every_examples))

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if int(pl_module.examples_seen) >= self.next_due().examples:
            self.act_now(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if self.is_due_at_end(trainer, pl_module):
            self.act_now(trainer, pl_module)

    def is_due_at_end(self, trainer: pl.Trainer, pl_module: Any) -> bool:
        """Whether training has ended and was not stopped, and since it acted last there were batches."""
        return finished(trainer, pl_module, self.state) and int(pl_module.examples_seen) > self.acted_at

    def act_now(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """``act``, and its time is now."""
        self.acted_at = int(pl_module.examples_seen)
        self.act(trainer, pl_module)


def give_state(callbacks: Iterable[pl.Callback], state: RunState) -> None:
    """Makes ``state`` that of every :class:`RunCallback` among the callbacks; called before ``fit``."""
    for callback in callbacks:
        if isinstance(callback, RunCallback):
            callback.state = state


def finished(trainer: pl.Trainer, pl_module: Any, state: RunState) -> bool:
    """Whether training ended by a budget or by its own decision, not by a signal (see ``StopOnSignal``)."""
    max_examples = state.max_examples
    return bool(
        (max_examples and int(pl_module.examples_seen) >= max_examples)
        or 0 < trainer.max_steps <= trainer.global_step
        or not (trainer.interrupted or state.stopped_by_signal)
    )


# Lightning's Trainer has both, but sets them in helpers of its own, where a type checker does not see them.
def is_fast_dev_run(trainer: pl.Trainer) -> bool:
    """Whether this is a trial of a few batches (``trainer.fast_dev_run``), which writes nothing."""
    return bool(trainer.fast_dev_run)  # type: ignore[attr-defined]


def datamodule_of(trainer: pl.Trainer) -> Any:
    """The data that the run trains on."""
    return trainer.datamodule  # type: ignore[attr-defined]
