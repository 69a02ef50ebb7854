"""What ganvas writes is taken; tests/faults/hostile_checkpoints.py holds what is not."""

from __future__ import annotations

import copy
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.quantizer.vq import VectorQuantizer
from ganvas.model.quantizer.vq_ema import EMAVectorQuantizer
from ganvas.model.training.lightning_internals import fresh_loops
from ganvas.model.training.recipe import Recipe
from ganvas.run.checkpoint.check import check_checkpoint, check_fits, load_checked, load_plain_archive
from ganvas.run.checkpoint.weights import check_weights

PATH = Path("x.ckpt")
STEPS = "epoch_loop.manual_optimization.optim_step_progress"


def network() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))


def stepped(model: torch.nn.Module, kind: Callable[..., torch.optim.Optimizer]) -> torch.optim.Optimizer:
    optimizer = kind(model.parameters(), lr=0.1)
    model(torch.randn(4, 3)).sum().backward()
    optimizer.step()
    return optimizer


def checkpoint(model: torch.nn.Module, *optimizers: torch.optim.Optimizer) -> dict[str, Any]:
    loops = fresh_loops()
    loops["fit_loop"][STEPS]["total"]["completed"] = 1
    return {
        "state_dict": model.state_dict(),
        "ganvas_clock": {"examples_seen": 64},
        "optimizer_states": [optimizer.state_dict() for optimizer in optimizers],
        "lr_schedulers": [],
        "loops": loops,
        "callbacks": {},
        "epoch": 0,
        "global_step": 1,
        "pytorch-lightning_version": version("pytorch-lightning"),
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
        {"generator": state | {"scale": 0.0}},
        {"generator": state | {"scale": True}},
        {"generator": state | {"growth_factor": 0.5}},
        {"generator": state | {"backoff_factor": 2.0}},
        {"generator": state | {"growth_interval": 2000.0}},
        {"generator": state | {"_growth_tracker": -1}},
    ):
        with pytest.raises(OptionError, match="its ganvas_scalers"):
            check_checkpoint(held | {"ganvas_scalers": wrong}, PATH)


def test_lightnings_own_scaler_is_checked_too() -> None:
    state = torch.amp.GradScaler("cpu").state_dict()
    for key in ("MixedPrecision", "native_amp_scaling_state"):
        check_checkpoint(checkpoint(network()) | {key: state}, PATH)
        with pytest.raises(OptionError, match="scale is nan"):
            check_checkpoint(checkpoint(network()) | {key: state | {"scale": float("nan")}}, PATH)


def test_the_clocks_of_recipe_and_loops_agree() -> None:
    held = checkpoint(network())
    held["ganvas_clock"] |= {"batches_seen": 1}
    check_checkpoint(held, PATH)
    for change, says in (
        ({"ganvas_clock": {"examples_seen": 64, "batches_seen": 2}}, "global_step counts 1 batches"),
        ({"ganvas_clock": {"examples_seen": 0, "batches_seen": 1}}, "1 batches of 0 examples"),
        ({"global_step": 2**53}, "counter global_step"),
        ({"epoch": True}, "its epoch is a bool"),
    ):
        with pytest.raises(OptionError, match=says):
            check_checkpoint(held | change, PATH)
    held["loops"]["fit_loop"]["epoch_progress"]["current"]["ready"] = 2**40
    with pytest.raises(OptionError, match=r"epoch_progress counts 1099511627776"):
        check_checkpoint(held, PATH)


def test_loops_are_as_lightning_writes_them() -> None:
    for name, change, says in (
        ("epoch_progress", lambda state: state.pop("total"), "lacks total"),
        ("epoch_progress", lambda state: state.update(more=1), "holds more"),
        ("epoch_progress", lambda state: state["total"].update(ready=True), "no whole number"),
        ("epoch_loop.batch_progress", lambda state: state.update(is_last_batch=1), "no yes or no"),
        ("state_dict", lambda state: state.update(combined_loader=[{}, {}]), "state of one loader"),
    ):
        held = checkpoint(network())
        change(held["loops"]["fit_loop"][name])
        with pytest.raises(OptionError, match=says):
            check_checkpoint(held, PATH)


def test_what_an_older_lightning_did_not_write_may_be_missing() -> None:
    held = checkpoint(network())
    del held["loops"]["fit_loop"]["epoch_loop.state_dict"]
    with pytest.raises(OptionError, match=r"hold no epoch_loop\.state_dict"):
        check_checkpoint(held, PATH)
    assert check_checkpoint(held | {"pytorch-lightning_version": "2.0.0"}, PATH)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["0.weight", "1.running_mean"])
def test_what_is_not_finite_is_refused_by_its_name(name: str, value: float) -> None:
    """Also where a sum of it all would hide it: infinities of both signs, numbers whose sum overflows."""
    model = network()
    held = checkpoint(model)
    held["state_dict"]["0.weight"].fill_(3e38)
    fits(held, network(), None)
    held["state_dict"][name].view(-1)[0] = value
    with pytest.raises(OptionError, match=rf"its {name} is not finite .* remove this checkpoint"):
        fits(held, network(), None)


def test_statistics_that_cannot_be() -> None:
    for name, value in (("running_var", -0.1), ("num_batches_tracked", -1), ("num_batches_tracked", 2**53)):
        held = checkpoint(network())
        held["state_dict"][f"1.{name}"].fill_(value)
        with pytest.raises(OptionError, match=rf"its 1\.{name} (is negative|counts more)"):
            fits(held, network(), None)


@pytest.mark.parametrize(("kind", "name"), [(VectorQuantizer, "idle"), (EMAVectorQuantizer, "count")])
def test_counts_of_a_quantizer_are_not_negative(kind: Callable[..., torch.nn.Module], name: str) -> None:
    for each in (name, "batches"):
        model = torch.nn.Sequential(kind(num_embeddings=4, embedding_dim=2))
        held = checkpoint(model)
        held["state_dict"][f"0.{each}"].sub_(2)
        with pytest.raises(OptionError, match=rf"its 0\.{each} is negative"):
            fits(held, model, None)


def test_schedulers_of_lightnings_are_held_to_the_models() -> None:
    def plan(step_size: int) -> torch.optim.lr_scheduler.StepLR:
        return torch.optim.lr_scheduler.StepLR(torch.optim.SGD(network().parameters(), lr=0.1), step_size)

    model = network()
    held = checkpoint(model)
    common = {"model": model, "clock": {"examples_seen": 0}, "optimizers": [], "precision": "32-true"}
    with pytest.raises(OptionError, match="holds 0 lr_schedulers, the model has 1"):
        check_fits(held, path=PATH, schedulers=[plan(3)], **common)
    held["lr_schedulers"] = [plan(3).state_dict()]
    check_fits(held, path=PATH, schedulers=[{"scheduler": plan(3)}], **common)
    for change in ({"gamma": "x"}, {"base_lrs": [float("nan")]}, {"last_epoch": 2**63}, {"more": 1}):
        held["lr_schedulers"] = [plan(3).state_dict() | change]
        with pytest.raises(OptionError, match=f"in its lr_schedulers 0 {next(iter(change))}"):
            check_fits(held, path=PATH, schedulers=[plan(3)], **common)


def test_a_tensor_that_one_side_lacks_is_told_so() -> None:
    model = torch.nn.Linear(3, 2)
    weight, bias = model.weight.detach(), model.bias.detach()
    with pytest.raises(ValueError, match=r"^it holds no bias, the model \(2,\)$"):
        check_weights({"weight": weight}, model, "32-true")
    with pytest.raises(ValueError, match=r"^it holds scale of \(2,\), the model none$"):
        check_weights({"weight": weight, "bias": bias, "scale": bias}, model, "32-true")
