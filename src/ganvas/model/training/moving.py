"""The numbers of a recipe and its parts that move with the clock of examples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import nn

from ganvas.functional.schedule import Schedule, Scheduled
from ganvas.model.training.descent import Descent


def scheduled_parts(model: nn.Module) -> dict[str, Scheduled]:
    """The recipe and its parts that have schedules, by the option that each came from; the recipe's is ''."""
    parts = dict(model.named_modules()) | vars(model)
    found = {name: part for name, part in parts.items() if isinstance(part, Scheduled)}
    return {name: part for name, part in found.items() if vars(part).get("schedules")}


def all_schedules(model: nn.Module, descents: Iterable[Descent]) -> dict[str, Schedule]:
    """Every schedule by its option, without ``model.``, e.g. ``generator_optimizer.lr``."""
    found = {
        f"{name}.{number}".removeprefix("."): schedule
        for name, part in scheduled_parts(model).items()
        for number, schedule in part.schedules.items()
    }
    for descent in descents:
        found |= {f"{descent.option}.{key}": schedule for key, schedule in descent.schedules.items()}
    return found


def beyond_run(schedules: Mapping[str, Schedule], examples: int | None) -> list[str]:
    """What a run does not do of its schedules, a line each: ``model.option=end: ...``.

    Args:
        schedules: by their options.
        examples: of the run; None where nobody knows.
    """
    lines = []
    for name, schedule in schedules.items():
        if schedule.end is None:
            if len(schedule.extremes) > 1:
                rule = "it never ends, as the run has no trainer.max_examples; give it a number"
                lines.append(f"model.{name}.examples=null: {rule}")
            continue
        if examples is None:
            continue
        if schedule.end > 1.1 * examples:
            left = f"the run ends after {examples:,} examples, with {schedule(examples):.3g} on the way"
        elif schedule.end < 0.9 * examples and name.endswith(".lr") and schedule(schedule.end) == 0:
            left = f"the learning rate is zero from there on, and the run has {examples:,} examples"
        else:
            continue
        lines.append(f"model.{name}.examples={schedule.end}: {left}")
    return lines
