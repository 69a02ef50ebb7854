"""Gradients at one parameter, which a recipe weighs its terms by."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from broken_recipes import Faults, fit
from torch import nn
from torch.nn.functional import mse_loss

from ganvas.errors import OptionError
from ganvas.model.training.recipe import Recipe


class Balanced(Recipe):
    """Two networks; the second one's terms get equal gradients at its layer, after the first has moved."""

    def __init__(self) -> None:
        super().__init__(seed=3)
        torch.manual_seed(0)
        self.first, self.second = (nn.Sequential(nn.Flatten(), nn.Linear(64, 64)) for _ in range(2))
        self.asked: list[list[torch.Tensor]] = []
        for name in ("first", "second"):
            self.add_optimizer(name, partial(torch.optim.SGD, lr=0.3), [name])

    def step(self, batch: Any, draws: Any) -> None:
        x = batch.x.flatten(1)
        self.descend("first", {"loss/first": mse_loss(self.first(x), x)})
        made = self.second(x + 0.1 * draws.normal("noise", *x.shape))
        with torch.no_grad():
            target = self.first(x)
        near, small = mse_loss(made, target), made.abs().mean()
        self.asked.append(self.gradients_at(self.second[1].weight, near, small))
        wanted, unbalanced = (gradient.norm() for gradient in self.asked[-1])
        self.note({"weight/small": wanted / unbalanced})
        self.descend("second", {"loss/near": near, "loss/small": wanted / unbalanced * small})


@pytest.mark.parametrize("parts", [2, 8])
def test_gradients_at_are_those_of_the_whole_batch_with_micro_batches(parts: int) -> None:
    ends = []
    for count in (1, parts):
        model = Balanced()
        model.micro_batches = count
        _, watch = fit(model, Faults(), 4)
        ends.append((watch.reports, model.state_dict(), model.asked[0]))
    (reports, state, _), (reports_of_parts, state_of_parts, _) = ends
    for one, other in zip(reports, reports_of_parts, strict=True):
        assert "weight/small" in one
        torch.testing.assert_close(dict(other), dict(one), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(dict(state_of_parts), dict(state), rtol=1e-4, atol=1e-6)


def test_gradients_at_are_of_each_term_and_leave_the_graph() -> None:
    model, x = Balanced(), torch.randn(5, 64)
    made = model.second(x)
    first, second = model.gradients_at(model.second[1].weight, made.square().mean(), made.mean())
    torch.testing.assert_close(first, 2 * made.detach().T @ x / made.numel())
    torch.testing.assert_close(second, x.sum(0).expand(64, 64) / made.numel())
    assert not first.requires_grad
    assert model.second[1].weight.grad is None
    made.mean().backward()


def test_gradients_at_are_the_mean_over_ranks(two_ranks: Callable[[str], list[Any]]) -> None:
    results = two_ranks("""
        from ganvas.model.training.recipe import Recipe
        model = Recipe(seed=1)
        model.weight = torch.nn.Parameter(torch.ones(3))
        shares = torch.arange(12.0).view(4, 3).chunk(2)
        result = model.gradients_at(model.weight, (shares[rank] * model.weight).sum(1).mean())
    """)
    for (gradient,) in results:
        torch.testing.assert_close(gradient, torch.arange(12.0).view(4, 3).mean(0))


def test_gradients_at_a_sharded_parameter_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganvas.model.training.recipe.is_sharded", lambda tensor: True)
    with pytest.raises(OptionError, match=r"accelerator.strategy=fsdp: cannot take gradients at one param"):
        Balanced().gradients_at(torch.ones(1))
