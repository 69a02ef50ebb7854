"""What the callbacks of one run tell each other and the run, and the base class of those that know it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from ganvas.callback.agenda import Agenda
from ganvas.callback.writing.rows import Rows
from ganvas.callback.writing.write_errors import WriteErrors


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


def give_state(callbacks: Iterable[pl.Callback], state: RunState) -> None:
    """Makes ``state`` that of every :class:`RunCallback` among the callbacks; called before ``fit``."""
    for callback in callbacks:
        if isinstance(callback, RunCallback):
            callback.state = state


# Lightning's Trainer has both, but sets them in helpers of its own, where a type checker does not see them.
def is_fast_dev_run(trainer: pl.Trainer) -> bool:
    """Whether this is a trial of a few batches (``trainer.fast_dev_run``), which writes nothing."""
    return bool(trainer.fast_dev_run)  # type: ignore[attr-defined]


def datamodule_of(trainer: pl.Trainer) -> Any:
    """The data that the run trains on."""
    return trainer.datamodule  # type: ignore[attr-defined]
