"""What the base does around a recipe's step: hooks, statistics over ranks, schedules, frozen parts."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from broken_recipes import Faults, digits, fit, make_gan
from torch import Tensor, nn

from ganvas.errors import OptionError
from ganvas.functional.batch import Batch
from ganvas.functional.random import Draws
from ganvas.model.ema.exponential import ExponentialAverage
from ganvas.model.schedule.linear import Linear
from ganvas.model.training.mistakes import check_hooks
from ganvas.model.training.recipe import Recipe

HOOKS = "on_before_zero_grad on_before_backward on_after_backward on_before_optimizer_step".split()


def run(model: Recipe, *callbacks: pl.Callback, steps: int = 2) -> None:
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=steps,
        logger=False,
        enable_checkpointing=False,
        limit_val_batches=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=list(callbacks),
    )
    trainer.fit(model, datamodule=digits())


def test_a_callbacks_hooks_around_each_optimizer_are_called() -> None:
    """Lightning calls them around optimizers that it wraps, and the recipe steps past its wrappers."""
    calls: list[tuple[str, Any]] = []

    def hook(name: str) -> Any:
        return lambda self, trainer, module, *rest: calls.append((name, rest[0] if rest else None))

    listener = type("Listener", (pl.Callback,), {name: hook(name) for name in HOOKS})()
    model = make_gan(Faults())
    run(model, listener, steps=1)
    assert [name for name, _ in calls] == HOOKS * 2
    generator, discriminator = model.trainer.optimizers
    assert [calls[0][1], calls[3][1], calls[4][1], calls[7][1]] == [discriminator] * 2 + [generator] * 2
    assert all(isinstance(value, Tensor) for name, value in calls if name == "on_before_backward")


class Line(Recipe):
    def __init__(self, lr: float | Linear) -> None:
        super().__init__(seed=0)
        self.line = nn.Linear(64, 1)
        self.add_optimizer("line", partial(torch.optim.SGD, lr=lr), ["line"])

    def step(self, batch: Batch, draws: Draws) -> None:
        self.descend("line", {"loss/line": self.line(batch.x.flatten(1)).mean()})


@pytest.mark.parametrize(
    ("lr", "rates"), [(0.5, [0.5] * 4), (Linear(0.5, 0.0, 64), [0.5, 0.375, 0.25, 0.125])]
)
def test_a_schedule_is_a_function_of_examples_seen(lr: Any, rates: list[float]) -> None:
    found = []

    class Look(pl.Callback):
        def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
            found.append(pl_module.report["learning_rate/line"].item())

    run(Line(lr), Look(), steps=4)
    assert found == pytest.approx(rates)


def test_what_a_user_froze_stays_frozen() -> None:
    model = make_gan(Faults())
    model.discriminator.network.layers[4].weight.requires_grad_(False)
    before = model.discriminator.network.layers[4].weight.clone()
    model.generator.layers[2].eval()  # a frozen BatchNorm
    fit(model, Faults(), 3)
    model.sample(2, 0, ema=False)
    assert torch.equal(model.discriminator.network.layers[4].weight, before)
    assert not model.discriminator.network.layers[4].weight.requires_grad
    assert not model.generator.layers[2].training
    assert model.generator.layers[0].training


_LEFT_OUT = """
import os
sys.path.append("{helpers}")
os.environ |= dict(LOCAL_RANK=str(rank), NODE_RANK="0", MASTER_ADDR="127.0.0.1", MASTER_PORT="1")
import pytorch_lightning as pl
from broken_recipes import digits
from ganvas.model.training.recipe import Recipe
from ganvas.run.distributed.strategy import make_strategy

NAMES = {names}


class Many(Recipe):
    def __init__(self):
        super().__init__(seed=0)
        for name in NAMES:
            setattr(self, name, torch.nn.BatchNorm1d(64, momentum=1.0))
            self.add_optimizer(name, lambda p: torch.optim.SGD(p, lr=0.0), [name])

    def step(self, batch, draws):
        x = batch.x.flatten(1)
        for number, name in enumerate(NAMES):
            loss = (getattr(self, name)((number + 1 + rank) * x + number) ** 2).mean()
            if number == 0:
                self.descend(name, dict([("loss/" + name, loss)]))


trainer = pl.Trainer(accelerator="cpu", devices=2, strategy=make_strategy("ddp", processes=2, backend="gloo"),
                     max_steps=1, logger=False, enable_checkpointing=False, limit_val_batches=0,
                     enable_progress_bar=False, enable_model_summary=False, use_distributed_sampler=False)
model = Many()
trainer.fit(model, datamodule=digits())
result = [getattr(model, name).running_mean for name in NAMES]
"""


@pytest.mark.real_processes  # forks of one process share its hash seed, and so the order of a set
def test_statistics_of_networks_that_do_not_move_are_means_over_ranks(two_ranks: Any) -> None:
    """Each network's own mean: ranks that took them in another order would mix them."""
    names = [f"network{number}" for number in range(7)]
    helpers = Path(__file__).parents[2] / "helpers"
    first, second = two_ranks(_LEFT_OUT.format(helpers=helpers, names=names))
    for number, (one, other) in enumerate(zip(first, second, strict=True)):
        assert torch.equal(one, other)
        # Pixel 0 of a digit is always dark: -1 on every rank, so the mean over ranks is known.
        expected = (-(number + 1) + number - (number + 2) + number) / 2
        torch.testing.assert_close(one[0], torch.tensor(expected))


def test_nested_frozen_networks_stay_frozen_until_the_outer_end() -> None:
    seen: list[list[bool]] = []

    class Nested(Line):
        def step(self, batch: Batch, draws: Draws) -> None:
            with self.frozen("line"):
                with self.frozen("line"):
                    pass
                seen.append([p.requires_grad for p in self.line.parameters()])
            seen.append([p.requires_grad for p in self.line.parameters()])
            super().step(batch, draws)

    run(Nested(0.5), steps=1)
    assert seen == [[False, False], [True, True]]


def test_tied_weights_move_once() -> None:
    class Tied(Line):
        def __init__(self) -> None:
            super().__init__(0.5)
            self.twin = nn.Sequential(self.line)
            self._descents.clear()
            self.add_optimizer("both", partial(torch.optim.SGD, lr=0.5), ["line", "twin"], grad_clip=1e-3)

        def step(self, batch: Batch, draws: Draws) -> None:
            self.descend("both", {"loss/line": self.twin(batch.x.flatten(1)).mean()})

    model = Tied()
    before = [p.detach().clone() for p in model.line.parameters()]
    run(model, steps=1)
    moved = [a - b for a, b in zip(model.line.parameters(), before, strict=True)]
    assert torch.nn.utils.get_total_norm(moved).item() == pytest.approx(0.5e-3, rel=1e-2)


def test_one_optimizer_moves_once_a_batch() -> None:
    class Twice(Line):
        def step(self, batch: Batch, draws: Draws) -> None:
            super().step(batch, draws)
            super().step(batch, draws)

    with pytest.raises(OptionError, match="moves twice in one batch"):
        run(Twice(0.5), steps=1)
    with pytest.raises(OptionError, match="can average one network alone"):
        make_gan(Faults()).add_optimizer(
            "both",
            torch.optim.SGD,
            ["generator", "discriminator"],
            average=ExponentialAverage(),
        )


@pytest.mark.parametrize("hook", ["on_train_batch_end", "on_before_optimizer_step"])
def test_hooks_that_would_silence_the_run_are_refused(hook: str) -> None:
    class Own(Line): ...

    setattr(Own, hook, lambda self, *_: None)
    with pytest.raises(OptionError, match=f"^model.{hook}=Own: is the base's, or is never called"):
        check_hooks(Own(None), Recipe)
    check_hooks(Line(0.5), Recipe)


def test_a_recipe_is_fitted_again_as_it_is_asked_to_now() -> None:
    """Parts and the guard of an earlier fit are not those of the next one."""
    ends = []
    for options in [(4, True), (1, False)], [(1, False), (1, False)]:
        model = make_gan(Faults())
        for number, (parts, on_device) in enumerate(options):
            model.micro_batches, model.decides_on_device = parts, on_device
            if number == 1:
                model.load_state_dict(make_gan(Faults()).state_dict())
                model.batches_seen = model.examples_seen = 0
            fit(model, Faults(), 2)
        ends.append({name: value.clone() for name, value in model.state_dict().items()})
    assert all(torch.equal(value, ends[1][name]) for name, value in ends[0].items())
