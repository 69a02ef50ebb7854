"""A progress bar for people at a terminal."""

from __future__ import annotations

import sys
import time
from typing import Any

import pytorch_lightning as pl
from torch import Tensor

from ganvas.callback.agenda import Due
from ganvas.callback.record import read_scalars
from ganvas.callback.run_state import RunCallback
from ganvas.errors import require
from ganvas.files.text import screen_size

_WIDE = 160  # columns that take a bar of 40 and the losses of every recipe in one line
_BESIDE_BAR = 90  # columns of all else, with one loss a line
_LEAST_BAR = 10


class Progress(RunCallback):
    """Examples seen of the total, images a second, time left and the newest losses, on stderr.

    Losses are shown from the first refresh on, however rare reports are: those of the newest batch that the
    recipe's guard has settled; between ranks, of the first one's share of it. A training step costs one look
    at the clock, and a refresh alone makes the host wait for the losses. A narrow terminal has one loss a
    line and a shorter bar or none, so that no number is cut off. Silent where stderr is no terminal.

    Args:
        refresh_per_second: most refreshes a second, by the clock on the wall.
    """

    def __init__(self, *, refresh_per_second: float = 2.0) -> None:
        require(refresh_per_second > 0, "refresh_per_second", refresh_per_second, "must be positive")
        self.interval = 1 / refresh_per_second
        self._bar: Any = None
        self._is_narrow = False
        self._newest: dict[str, Tensor] = {}
        self._due_at = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if not (trainer.is_global_zero and sys.stderr.isatty()):
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        width, height = screen_size()
        screen = Console(stderr=True, width=width, height=height)
        self._is_narrow, bar = screen.width < _WIDE, min(40, screen.width - _BESIDE_BAR)
        self._bar = Progress(
            TextColumn("{task.fields[examples]}"),
            *([BarColumn(bar)] if bar >= _LEAST_BAR else []),
            TextColumn("{task.percentage:.0f}%"),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.fields[speed]}"),
            TextColumn("{task.fields[losses]}"),
            console=screen,
            auto_refresh=False,
        )
        self._total = self.state.max_examples
        self._started = time.monotonic(), int(pl_module.examples_seen)
        self._task = self._bar.add_task(
            "", total=self._total, completed=self._started[1], examples="", speed="", losses=""
        )
        self._bar.start()

    def next_due(self) -> Due:
        return Due() if self._bar is None else Due(time=self._due_at)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._bar is None:
            return
        if pl_module.report:
            self._newest |= pl_module.report
        if time.monotonic() >= self._due_at:
            self._refresh(pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if self._bar is not None:
            self._refresh(pl_module)
        self._stop()

    def on_exception(self, trainer: pl.Trainer, pl_module: Any, exception: BaseException) -> None:
        self._stop()

    def _refresh(self, pl_module: Any) -> None:
        now, examples = time.monotonic(), int(pl_module.examples_seen)
        self._due_at = now + self.interval
        speed = (examples - self._started[1]) / max(now - self._started[0], 1e-9)  # since the (re)start
        losses = read_scalars(self._losses(pl_module))
        seen = f"{examples:,} of {self._total:,}" if self._total else f"{examples:,}"
        terms = [f"{tag.removeprefix('loss/')} {value:.4g}" for tag, value in losses.items()]
        self._bar.update(
            self._task,
            completed=examples,
            examples=seen if self._is_narrow else f"{seen} examples",
            speed=f"{speed:,.0f} examples/s",
            losses=("\n" if self._is_narrow else "  ").join(terms),
        )
        self._bar.refresh()

    def _losses(self, pl_module: Any) -> dict[str, Tensor]:
        """The newest by tag; a term that not every batch has stays until it comes again."""
        guard = getattr(pl_module, "guard", None)  # a recipe of plain Lightning has none
        for terms in guard.last_terms.values() if guard is not None else ():
            self._newest |= terms
        return {tag: value for tag, value in self._newest.items() if tag.startswith("loss/")}

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
        self._bar = None
