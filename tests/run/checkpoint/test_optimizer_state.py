"""What an optimizer keeps after a step is taken; anything else is refused before a kernel reads it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganvas.model.training.descent import lay_moments_like_parameters
from ganvas.run.checkpoint.optimizer_state import check_optimizer_state, is_dense, state_after_a_step

Kind = Callable[..., torch.optim.Optimizer]


def network(kind: torch.dtype = torch.float32) -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(2, 3, 2), nn.Flatten(), nn.Linear(12, 5), nn.Linear(5, 5)).to(kind)


def stepped(kind: Kind, dtype: torch.dtype = torch.float32, **options: Any) -> torch.optim.Optimizer:
    """An optimizer after two steps; the last layer had no gradient."""
    model = network(dtype)
    optimizer = kind(model.parameters(), lr=0.01, **options)
    for _ in range(2):
        optimizer.zero_grad()
        model[:3](torch.randn(4, 2, 3, 3, dtype=dtype)).square().sum().backward()
        optimizer.step()
    return optimizer


def check(
    state: Any, kind: Kind = torch.optim.Adam, dtype: torch.dtype = torch.float32, **options: Any
) -> None:
    model = network()
    stored = network(dtype)
    weights = dict(zip(model.parameters(), stored.parameters(), strict=True))
    check_optimizer_state(state, kind(model.parameters(), lr=0.01, **options), weights)


class Own(torch.optim.Optimizer):
    """A user's, that cannot step on stand-ins."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, {"lr": lr})

    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                if not bool(parameter.grad.any()):
                    raise RuntimeError("no gradient")
                self.state[parameter] = {
                    "mean": parameter.grad.clone(),
                    "norm": parameter.grad.norm(),
                    "n": 1,
                }


CASES: list[tuple[Kind, dict[str, Any]]] = [
    *((torch.optim.Adam, {one: True}) for one in ("fused", "foreach", "amsgrad", "maximize")),
    (torch.optim.Adam, {"foreach": False}),
    (torch.optim.AdamW, {"fused": True}),
    (torch.optim.SGD, {}),
    (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    (torch.optim.SGD, {"momentum": 0.9, "fused": True}),
    (torch.optim.RMSprop, {}),
    (torch.optim.RMSprop, {"momentum": 0.9, "centered": True}),
    (torch.optim.Adagrad, {}),
    (torch.optim.Adagrad, {"fused": True}),
    *(
        (kind, {})
        for kind in (torch.optim.NAdam, torch.optim.RAdam, torch.optim.Adamax, torch.optim.Adadelta)
    ),
    *((kind, {}) for kind in (torch.optim.ASGD, torch.optim.Rprop, torch.optim.Adafactor, Own)),
]
IDS = [f"{kind.__name__}-{'-'.join(options)}" for kind, options in CASES]


@pytest.mark.parametrize(("kind", "options"), CASES, ids=IDS)
def test_its_own_state_is_taken(kind: Kind, options: dict[str, Any]) -> None:
    optimizer = stepped(kind, **options)
    held = optimizer.state_dict()
    check(held, kind, **options)
    check(held | {"state": {}}, kind, **options)  # before its first step
    usual = state_after_a_step(optimizer, {})
    assert (usual is None) == (kind is Own)
    for index, values in held["state"].items() if usual is not None else ():
        assert {name: getattr(v, "shape", v) for name, v in values.items()} == {
            name: getattr(v, "shape", v) for name, v in usual[index].items()
        }


@pytest.mark.parametrize(("kind", "options"), CASES, ids=IDS)
def test_a_moment_of_another_shape_is_refused_of_every_optimizer(kind: Kind, options: dict[str, Any]) -> None:
    """A scalar in place of a moment is read beyond its end by fused kernels."""
    held = stepped(kind, **options).state_dict()
    found = 0
    for index, values in held["state"].items():
        for name, value in values.items():
            if isinstance(value, Tensor) and value.ndim:
                for other in (value.new_ones(value.numel() + 1), value.new_ones(()))[index % 2 :]:
                    loose = kind is Own and getattr(other, "ndim", 0) == 0
                    state = copy.deepcopy(held)
                    state["state"][index][name] = other
                    if loose:  # python's own arithmetic may be meant to take one number
                        check(state, kind, **options)
                        continue
                    with pytest.raises(ValueError, match=f"^{name} of parameter {index} is "):
                        check(state, kind, **options)
                    found += 1
    assert found or not options


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_moments_have_the_type_of_the_stored_weights(dtype: torch.dtype) -> None:
    held = stepped(torch.optim.Adam, dtype, fused=True).state_dict()
    check(held, torch.optim.Adam, dtype, fused=True)
    with pytest.raises(ValueError, match=rf"exp_avg of parameter 0 is {dtype}, not torch\.float32"):
        check(held, torch.optim.Adam, fused=True)


WRONG: list[tuple[str, Callable[[Tensor], Any]]] = [
    ("is of another shape", lambda x: x.new_ones(())),
    ("is of another shape", lambda x: x.flatten()),
    ("not torch.float32", Tensor.half),
    ("not torch.float32", Tensor.int),
    ("not torch.float32", Tensor.bool),
    ("not torch.float32", lambda x: x.to(torch.complex64)),
    ("has gaps", lambda x: torch.ones(*x.shape, 2)[..., 0]),
    ("has gaps", lambda x: torch.ones(x.shape[0]).as_strided(x.shape, (0,) * x.ndim)),
    ("is not finite", lambda x: x * torch.nan),
    ("is not finite", lambda x: x / 0),
    ("is negative", lambda x: -torch.ones_like(x)),
    ("asks for a gradient", lambda x: x.clone().requires_grad_()),
    ("no tensor", lambda x: None),
    ("no tensor", lambda x: True),
    ("no tensor", lambda x: [1.0]),
]


@pytest.mark.parametrize(("says", "change"), WRONG, ids=[f"{n}-{says}" for n, (says, _) in enumerate(WRONG)])
def test_a_moment_that_the_optimizer_would_not_make(says: str, change: Callable[[Tensor], Any]) -> None:
    held = stepped(torch.optim.Adam).state_dict()
    values = held["state"][2]
    values["exp_avg_sq"] = change(values["exp_avg_sq"])
    with pytest.raises(ValueError, match=f"^exp_avg_sq of parameter 2 .*{says}"):
        check(held)


@pytest.mark.parametrize("step", [-1.0, 0.5, 2.0**60, torch.nan, torch.inf])
def test_steps_are_counted(step: float) -> None:
    held = stepped(torch.optim.Adam).state_dict()
    held["state"][0]["step"] = torch.tensor(step)
    with pytest.raises(ValueError, match=r"^step of parameter 0 is"):
        check(held)
    held["state"][0]["step"] = torch.tensor(3.0, dtype=torch.float64)  # as torch's default type was
    check(held)


def test_entries_that_are_missing_unknown_or_shared() -> None:
    held, flat = stepped(torch.optim.Adam).state_dict(), torch.ones(8)
    for change, says in (
        (lambda s: s[0].pop("step"), "step of parameter 0 is missing"),
        (lambda s: s[0].update(more=1), "more of parameter 0 is unknown"),
        (lambda s: s.update({0: {}}), "of parameter 0 is missing"),
        (lambda s: s.update({9: {}}), "a state 9 of no parameter"),
        (lambda s: s[0].update(exp_avg=s[0]["exp_avg_sq"]), "lie in one place"),
        (lambda s: s[1].update(exp_avg=flat[:3]) or s[3].update(exp_avg=flat[2:7]), "lie in one place"),
    ):
        state = copy.deepcopy(held)
        change(state["state"])
        with pytest.raises(ValueError, match=says):
            check(state)
    held["state"][1]["exp_avg"], held["state"][3]["exp_avg"] = flat[:3], flat[3:]  # beside each other
    check(held)


@pytest.mark.parametrize(
    "option",
    [
        {"lr": -0.1},
        {"lr": "x"},
        {"lr": True},
        {"lr": 2**70},
        {"betas": (0.9, 1.5)},
        {"betas": (0.9,)},
        {"eps": torch.nan},
        {"fused": True},
        {"foreach": True},
        {"capturable": True},
        {"maximize": True},
        {"amsgrad": 0},
        {"more": 1},
    ],
)
def test_options_that_the_optimizer_would_not_have(option: dict[str, Any]) -> None:
    held = stepped(torch.optim.Adam).state_dict()
    held["param_groups"][0] |= option
    with pytest.raises(ValueError, match="option"):
        check(held)


def test_a_check_leaves_the_optimizer_alone() -> None:
    optimizer = stepped(torch.optim.Adam, fused=True)
    calls: list[int] = []
    optimizer.register_step_pre_hook(lambda *_: calls.append(1))
    torch.optim.lr_scheduler.StepLR(optimizer, 1)  # puts a step of its own around the optimizer's
    before = copy.deepcopy(optimizer.state_dict())
    check_optimizer_state(optimizer.state_dict(), optimizer, {})
    assert not calls
    assert str(optimizer.state_dict()) == str(before)


def test_dense_in_any_order() -> None:
    x = torch.arange(120.0).view(2, 3, 4, 5)
    for dense in (x, x.to(memory_format=torch.channels_last), x.permute(3, 1, 0, 2), x[:1, :, :1], x[0]):
        assert is_dense(dense.clone() if dense.shape[0] == 1 else dense)
    for gaps in (x[:, :2], x[..., ::2], torch.ones(1).expand(3)):
        assert not is_dense(gaps)


@pytest.mark.parametrize("fused", [True, False])
def test_moments_follow_their_parameters_layout(fused: bool) -> None:
    """A fused kernel pairs values by their places: a resume with another layout took wrong steps."""

    def trained(layout: torch.memory_format) -> Tensor:
        model = network()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1, fused=fused)
        for number in range(4):
            if number == 2:
                state = optimizer.state_dict()
                model.to(memory_format=layout)
                optimizer = torch.optim.Adam(model.parameters(), lr=0.1, fused=fused)
                optimizer.load_state_dict(state)
                lay_moments_like_parameters(optimizer)
            optimizer.zero_grad()
            (model[0].weight * torch.arange(24.0).view(3, 2, 2, 2).sin()).pow(2 + number).sum().backward()
            optimizer.step()
        return model[0].weight.detach().clone(memory_format=torch.contiguous_format)

    assert torch.equal(trained(torch.channels_last), trained(torch.contiguous_format))
