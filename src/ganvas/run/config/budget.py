"""What a run's budget is too short for: refused where it would train nothing, else said as it starts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from ganvas.callback.run_state import RunCallback
from ganvas.errors import OptionError
from ganvas.model.training.recipe import Recipe
from ganvas.run.trainer import TrainerOptions, budgets


class Budget(NamedTuple):
    """Where a run ends at the latest.

    Attributes:
        option: the key that says so, without its section.
        value: of the key.
        batches: global batches until then.
        examples: the same in examples seen.
    """

    option: str
    value: object
    batches: int
    examples: int


def find_budget(options: TrainerOptions, *, batch_size: int, train_samples: int) -> Budget | None:
    """The smallest of the budgets; None where a clock alone ends the run."""
    batches = budgets(options, batch_size, train_samples)
    if options.fast_dev_run:
        batches = {"fast_dev_run": int(options.fast_dev_run)}
    least = min(((count, name) for name, count in batches.items()), default=None)
    if least is None:
        return None
    count, name = least
    return Budget(name, getattr(options, name), count, count * batch_size)


def check_all_move(model: Recipe, budget: Budget | None) -> None:
    """Raises OptionError where one of the recipe's optimizers never makes a step; not in a trial run."""
    if budget is None or budget.option == "fast_dev_run":
        return
    for name, interval, option in _late(model, budget):
        ends = f"trainer.{budget.option}={budget.value}"
        reason = (
            f"the {name} moves once in {interval} batches, and {ends} ends the run after {budget.batches}"
        )
        if option is None:
            raise OptionError(f"trainer.{budget.option}", budget.value, f"{reason}; raise it")
        raise OptionError(f"model.{option}", interval, f"{reason}; lower the one or raise the other")


def beyond_budget(model: Recipe, callbacks: Iterable[Any], data: Any, options: TrainerOptions) -> list[str]:
    """What the options ask for and the run's budget is too short for, a line each."""
    samples = data.num_samples("train")
    budget = find_budget(options, batch_size=data.batch_size, train_samples=samples)
    if budget is None:
        return model.unended()
    if budget.option == "fast_dev_run":
        return [
            f"trainer.fast_dev_run={budget.value}: the {name} moves once in {interval} batches, and this "
            f"trial is over before; fast_dev_run={interval} moves it"
            for name, interval, _ in _late(model, budget)
        ]
    lines = model.out_of_reach(budget.batches, budget.examples)
    for callback in callbacks:
        if isinstance(callback, RunCallback):
            lines += callback.out_of_reach(budget.examples, options.log_every_examples)
    return lines


def _late(model: Recipe, budget: Budget) -> list[tuple[str, int, str | None]]:
    """Optimizers whose first step comes after the budget's end: name, batches a step, option of these."""
    return [one for one in model.step_intervals() if one[1] > budget.batches]
