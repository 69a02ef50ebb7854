"""Mistakes in a recipe: what tests/runs/test_your_own_recipe.py does not show on a whole run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from broken_recipes import Faults, fit
from torch import nn

from ganvas.errors import OptionError
from ganvas.model.ema.exponential import ExponentialAverage
from ganvas.model.training.recipe import Recipe

SGD = partial(torch.optim.SGD, lr=0.1)


class Own(Recipe):
    def __init__(self, set_up: Callable[[Any], None], step: Callable[[Any, Any], None] | None = None) -> None:
        super().__init__(seed=1)
        self.made_step = step
        self.network, self.other = nn.Linear(64, 2), nn.Linear(64, 2)
        set_up(self)

    def step(self, batch: Any, draws: Any) -> None:
        assert self.made_step is not None
        self.made_step(self, batch.x.flatten(1))


def both(model: Own) -> None:
    model.add_optimizer("both", SGD, ["network", "other"])


@pytest.mark.parametrize(
    ("set_up", "line"),
    [
        (lambda model: None, "add_optimizer=Own: no optimizer was added"),
        (
            lambda model: model.add_optimizer("one", SGD, ["network"]),
            "add_optimizer=other.weight: is in no optimizer's networks",
        ),
        (
            lambda model: both(model.requires_grad_(False)),
            "add_optimizer=both: network, other: no parameter there is trained",
        ),
        (lambda model: model.add_optimizer("one", SGD, []), "add_optimizer=one: must be given a list"),
        (
            lambda model: model.add_optimizer("one", SGD, ["seed"]),
            "add_optimizer=one: the recipe has no network 'seed'; set self.seed before add_optimizer; "
            "there are: network, other",
        ),
    ],
)
def test_what_is_said_before_training(set_up: Callable[[Any], None], line: str) -> None:
    with pytest.raises(OptionError) as raised:
        Own(set_up).configure_optimizers()
    assert str(raised.value).startswith(line)


def test_what_is_not_trained_on_purpose_passes() -> None:
    def set_up(model: Own) -> None:
        model.other.requires_grad_(False)
        model.average = ExponentialAverage(half_life=100.0)
        model.add_optimizer("one", SGD, ["network"], average=model.average)

    assert len(Own(set_up).configure_optimizers()[0]) == 1


def loss_of(model: Own, x: torch.Tensor) -> torch.Tensor:
    return model.network(x).square().mean() + model.other(x).square().mean()


def noted(model: Own, x: torch.Tensor) -> None:
    model.note({"logits/all": model.network(x)})
    model.descend("both", {"loss/all": loss_of(model, x)})


@pytest.mark.parametrize(
    ("step", "line"),
    [
        (noted, "model.step=logits/all: is a tensor of shape [16, 2] and must be a scalar tensor"),
        (
            lambda model, x: model.descend("both", {"loss/all": loss_of(model, x).view(1)}),
            "model.step=loss/all: is a tensor of shape [1] and must be a scalar tensor",
        ),
        (
            lambda model, x: model.descend("both", {"loss/all": loss_of(model, x).item()}),
            "model.step=loss/all: is ",
        ),
        (
            lambda model, x: model.descend("both", {"loss/all": loss_of(model, x).detach()}),
            "model.step=descend('both'): loss/all: depends on no parameter that is trained",
        ),
        (
            lambda model, x: model.descend("all", {"loss/all": loss_of(model, x)}),
            "model.step=descend('all'): add_optimizer has named no such optimizer; there are: both",
        ),
        (lambda model, x: None, "model.step=Own: moved nothing on a batch on which it does everything"),
    ],
)
@pytest.mark.parametrize("micro_batches", [1, 2])
def test_what_is_said_of_a_step(step: Callable[[Any, Any], None], line: str, micro_batches: int) -> None:
    model = Own(both, step)
    model.micro_batches = micro_batches
    with pytest.raises(OptionError) as raised:
        fit(model, Faults(), 2)
    assert str(raised.value).startswith(line.replace("16", str(16 // micro_batches)))


def test_a_recipe_without_a_step() -> None:
    with pytest.raises(OptionError, match=r"model.step=Recipe: has no step of its own; write def step"):
        Recipe(seed=1).step(None, None)  # type: ignore[arg-type]


def test_a_step_that_moves_something_on_every_second_batch() -> None:
    def step(model: Own, x: torch.Tensor) -> None:
        if model.every(2):
            model.descend("both", {"loss/all": loss_of(model, x)})

    model = Own(both, step)
    model.log_period = model.log_every_batches = 2
    assert fit(model, Faults(), 4)[0].global_step == 4
