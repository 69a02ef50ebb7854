"""Which trials are stopped early, and what a pruner sees of a run that is not over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner

from ganvas.errors import OptionError, require
from ganvas.files.rows import RowReader
from ganvas.files.schema import is_count, is_finite, misfit
from ganvas.sweep.search.settings import Settings


def make_pruner(settings: Settings, *, every_examples: int, max_examples: int) -> BasePruner | None:
    """The study's pruner, or None; its steps are examples seen.

    Args:
        every_examples: between two values of the metric.
        max_examples: a run's budget.
    """
    least = settings.pruner_min_examples
    if settings.pruner == "median":
        return MedianPruner(settings.pruner_startup_trials, least or 0)
    if settings.pruner == "hyperband":
        return HyperbandPruner(least or every_examples, max_examples, settings.reduction_factor)
    return None


def check_pruner(settings: Settings, metrics: list[str], config: dict[str, Any]) -> int:
    """Images between two values of the metric, as the config has it.

    Raises:
        OptionError: the pruner would see nothing while a run trains, or cannot work on this study.
    """
    if settings.pruner == "none":
        return 1
    name = settings.pruner
    require(
        len(metrics) == 1, "hydra.sweeper.pruner", name, "knows one objective; pruner=none, or one metric"
    )
    trainer = config["trainer"]
    option, every = _cadence(metrics[0], config)
    budget = trainer.get("max_examples")
    reason = "leaves the pruner nothing to see before the end; write examples, e.g. "
    reason += f"{option}={(budget or 10000) // 10}"
    shown = "null" if every is None else every
    require(isinstance(every, int) and every > 0, option, shown, reason)
    if name == "hyperband":
        require(
            isinstance(budget, int),
            "trainer.max_examples",
            "null",
            "is what hyperband divides; write examples",
        )
        least = settings.pruner_min_examples or every
        reason = f"must be less than a run's trainer.max_examples={budget}; write fewer"
        require(least < budget, "hydra.sweeper.pruner_min_examples", least, reason)
    return int(every)


def _cadence(metric: str, config: dict[str, Any]) -> tuple[str, Any]:
    """The option that says how often a metric is reported, and its value."""
    if metric.startswith("evaluation/"):
        for name, node in (config.get("callback") or {}).items():
            if str(node.get("_target_", "")).endswith(".Evaluation"):
                return f"callback.{name}.every_examples", node.get("every_examples")
        raise OptionError("callback", "", "has no evaluation, and the metric is one of its metrics; add it")
    if metric.startswith("validation/"):
        return "trainer.val_every_examples", config["trainer"].get("val_every_examples")
    return "trainer.log_every_examples", config["trainer"].get("log_every_examples")


@dataclass
class Tail:
    """The newest values of one scalar in a metrics.jsonl that grows.

    Attributes:
        path: the file; it may not be there yet.
        sign: 1 where small values are good, else -1.
        every_examples: examples are rounded down to a multiple of it: runs of different batch sizes meet.
    """

    path: Path
    metric: str
    sign: int
    every_examples: int
    best: float | None = None
    _offset: int = 0
    _steps: set[int] = field(default_factory=set)

    def new(self) -> Iterator[tuple[int, float]]:
        """(examples, best value so far) of what came since the last call, each number of examples once."""
        try:
            if self.path.stat().st_size < self._offset:  # a resumed run dropped what its checkpoint lacks
                self._offset = 0
            reader = RowReader(self.path, self._offset, whole=True)
            rows = list(reader)
        except OSError:
            return
        self._offset = reader.offset
        for row in rows:
            found = self._value(row)
            if found is None:
                continue
            examples, value = found
            if self.best is None or self.sign * value < self.sign * self.best:
                self.best = value
            step = examples // self.every_examples * self.every_examples
            if step not in self._steps:
                self._steps.add(step)
                yield step, self.best

    def _value(self, row: Any) -> tuple[int, float] | None:
        fits = misfit(row, {"examples": is_count, self.metric: is_finite}) is None
        return (row["examples"], float(row[self.metric])) if fits else None
