"""What ganvas writes is taken; tests/faults/hostile_checkpoints.py holds what is not."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.training.recipe import Recipe
from ganvas.run.checkpoint.check import check_checkpoint, check_fits, load_checked, load_plain_archive

PATH = Path("x.ckpt")
PROGRESS = {
    "total": {"ready": 1, "completed": 1},
    "current": {"ready": 1, "completed": 1},
    "is_last_batch": True,
}


def network() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))


def stepped(model: torch.nn.Module, kind: Callable[..., torch.optim.Optimizer]) -> torch.optim.Optimizer:
    optimizer = kind(model.parameters(), lr=0.1)
    model(torch.randn(4, 3)).sum().backward()
    optimizer.step()
    return optimizer


def checkpoint(model: torch.nn.Module, *optimizers: torch.optim.Optimizer) -> dict[str, Any]:
    return {
        "state_dict": model.state_dict(),
        "ganvas_clock": {"examples_seen": 64},
        "optimizer_states": [optimizer.state_dict() for optimizer in optimizers],
        "lr_schedulers": [],
        "loops": {"fit_loop": {"epoch_progress": PROGRESS, "state_dict": {}}},
        "callbacks": {},
        "epoch": 0,
        "global_step": 1,
        "pytorch-lightning_version": "2.6.6",
    }


def fits(held: dict[str, Any], model: torch.nn.Module, optimizers: Any, precision: str = "32-true") -> None:
    check_fits(
        held, model=model, clock={"examples_seen": 0}, optimizers=optimizers, precision=precision, path=PATH
    )


KINDS = [torch.optim.Adam, torch.optim.SGD, torch.optim.AdamW, torch.optim.RMSprop, torch.optim.Adagrad]


@pytest.mark.parametrize("kind", KINDS)
def test_any_optimizers_own_state_fits_it(kind: Callable[..., torch.optim.Optimizer]) -> None:
    model = network()
    held = check_checkpoint(checkpoint(model, stepped(model, kind)), PATH)
    fresh = network()
    fits(held, fresh, [kind(fresh.parameters(), lr=0.1)])


def test_a_stored_learning_rate_may_be_another() -> None:
    model = network()
    held = checkpoint(model, stepped(model, torch.optim.Adam))
    fits(held, model, [torch.optim.Adam(model.parameters(), lr=0.5)])


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.RMSprop, torch.optim.Adagrad])
def test_another_optimizer_does_not_fit(kind: Callable[..., torch.optim.Optimizer]) -> None:
    model = network()
    held = checkpoint(model, stepped(model, torch.optim.Adam))
    with pytest.raises(OptionError, match="in its optimizer 0"):
        fits(held, model, [kind(model.parameters(), lr=0.1)])


@pytest.mark.parametrize(
    ("precision", "dtype", "taken"),
    [
        ("32-true", torch.float32, True),
        ("bf16-true", torch.bfloat16, True),
        ("64-true", torch.float64, True),
        ("bf16-mixed", torch.float32, True),
        ("32-true", torch.bfloat16, False),
        ("bf16-true", torch.float64, False),
        ("64-true", torch.float16, False),
    ],
)
def test_floats_have_the_precision_of_the_run(precision: str, dtype: torch.dtype, taken: bool) -> None:
    held = checkpoint(network().to(dtype))
    if taken:
        fits(held, network(), None, precision)
    else:
        with pytest.raises(OptionError, match=r"the model's torch\.float32"):
            fits(held, network(), None, precision)


def test_counters_of_another_recipe() -> None:
    held = checkpoint(network())
    held["ganvas_clock"]["guard"] = 3
    with pytest.raises(OptionError, match="its counters differ in guard"):
        fits(held, network(), None)
    held["ganvas_clock"] = {}
    with pytest.raises(OptionError, match="its counters differ in examples_seen"):
        fits(held, network(), None)


def test_a_shared_storage_is_no_bomb(tmp_path: Path) -> None:
    """Slices of one storage, as fused optimizers and tied weights make them."""
    held = checkpoint(network())
    whole = torch.arange(10.0)
    held["extra"] = {"a": whole[:5], "b": whole[5:], "c": whole.view(2, 5).T}
    check_checkpoint(held, PATH)
    held["extra"] = {"a": whole[:1].expand(11)}
    with pytest.raises(OptionError, match="more values than it stores"):
        check_checkpoint(held, PATH)


def test_it_is_read_and_checked_from_a_file(tmp_path: Path) -> None:
    held = checkpoint(network())
    torch.save(held, tmp_path / "a.ckpt")
    read = load_checked(tmp_path / "a.ckpt")
    assert read["ganvas_clock"] == {"examples_seen": 64}
    assert torch.equal(read["state_dict"]["0.weight"], held["state_dict"]["0.weight"])
    torch.save({"other": [1]}, tmp_path / "b.ckpt")
    assert load_plain_archive(tmp_path / "b.ckpt") == {"other": [1]}
    with pytest.raises(OptionError, match=r"^RUN=.*b.ckpt: is no checkpoint of ganvas \(it holds no"):
        load_checked(tmp_path / "b.ckpt")
    with pytest.raises(OptionError, match="No such file"):
        load_checked(tmp_path / "c.ckpt")


def test_what_is_checked_is_not_changed() -> None:
    model = network()
    held = checkpoint(model, stepped(model, torch.optim.Adam))
    before = copy.deepcopy(held)
    fits(check_checkpoint(held, PATH), model, [torch.optim.Adam(model.parameters(), lr=0.1)])
    assert str(held) == str(before)


@pytest.mark.parametrize(
    "clock",
    [
        {"training_step": 0},
        {"guard": 0},
        {"examples_seen": -1},
        {"examples_seen": "1"},
        {"batches_seen": True},
    ],
)
def test_a_recipe_takes_its_own_counters_alone(clock: dict[str, Any]) -> None:
    """Whoever calls it: a name in a file never becomes another attribute."""
    recipe = Recipe(seed=1)
    before = dict(vars(recipe))
    with pytest.raises(OptionError, match=f"^ganvas_clock.{next(iter(clock))}="):
        recipe.on_load_checkpoint({"ganvas_clock": clock})
    assert vars(recipe) == before
    recipe.on_load_checkpoint({"ganvas_clock": {"examples_seen": 64, "batches_seen": 1}})
    assert (recipe.examples_seen, recipe.batches_seen) == (64, 1)


def test_scalers_are_those_of_torch() -> None:
    state = torch.amp.GradScaler("cpu", init_scale=8.0).state_dict()
    held = checkpoint(network()) | {"ganvas_scalers": {"generator": state}}
    assert check_checkpoint(held, PATH) is held
    for wrong in (
        [1],
        {"generator": 3},
        {"generator": {}},
        {"generator": state | {"scale": float("nan")}},
        {"generator": state | {"scale": "8"}},
        {"generator": state | {"more": 1.0}},
    ):
        with pytest.raises(OptionError, match="its ganvas_scalers"):
            check_checkpoint(held | {"ganvas_scalers": wrong}, PATH)
