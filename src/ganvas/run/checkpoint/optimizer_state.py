"""Whether an optimizer takes a stored state: the rule is what it keeps itself after a step.

torch hands moments to fused kernels by their pointers: one of another shape is read beyond its end, one whose
values lie in another order is paired with the wrong weights, and neither is told.
"""

from __future__ import annotations

import copy
import inspect
import itertools
import math
from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganvas.functional.checked_values import MAX_COUNT
from ganvas.functional.finite import is_finite

State = dict[str, Any]
# Entries of torch's optimizers that are sums or means of squares, sizes or counts.
_AT_LEAST_0 = {
    *("step", "exp_avg_sq", "max_exp_avg_sq", "square_avg", "acc_delta", "sum", "exp_inf", "step_size"),
    *("eta", "mu", "mu_product", "row_var", "col_var", "variance"),
}
_IN_ONE_KERNEL = ("fused", "foreach", "capturable")  # none of them changes what is kept


def check_optimizer_state(
    state: Mapping[str, Any], optimizer: Optimizer, weights: Mapping[nn.Parameter, Tensor]
) -> None:
    """Raises ValueError unless a stored ``Optimizer.state_dict()`` is of this optimizer.

    Args:
        state: plain values and ordinary tensors.
        optimizer: as made from the config.
        weights: each of its parameters -> the same one as stored, of the run's type.
    """
    groups, moments = state.get("param_groups"), state.get("state")
    if not isinstance(groups, list) or not isinstance(moments, dict):
        raise ValueError("the state or the param_groups are missing")
    _check_groups(groups, optimizer)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    usual = state_after_a_step(optimizer, weights)
    for index, values in moments.items():
        if type(index) is not int or not 0 <= index < len(parameters) or not isinstance(values, dict):
            raise ValueError(f"there is a state {str(index)[:40]} of no parameter")
        own = None if usual is None else usual[index]
        if own is not None:
            for name in values.keys() ^ own.keys():
                reason = "is unknown" if name in values else "is missing"
                raise ValueError(f"{str(name)[:40]} of parameter {index} {reason}")
        weight = weights.get(parameters[index], parameters[index])
        for name, value in values.items():
            wrong = _wrong_if_unknown(value, weight) if own is None else _wrong(value, own[name], name)
            if wrong is not None:
                raise ValueError(f"{str(name)[:40]} of parameter {index} {wrong}")
    _check_apart(moments)


def state_after_a_step(optimizer: Optimizer, weights: Mapping[nn.Parameter, Tensor]) -> list[State] | None:
    """What an optimizer keeps of each of its parameters once it has made a step; their values mean nothing.

    A twin of the optimizer steps on parameters that take no memory, or, where it asks for their values, on
    zeros. None: it cannot step so.
    """
    for device in ("meta", "cpu"):
        try:
            return _stepped(optimizer, weights, device)
        except Exception:  # whatever an optimizer of anyone's meets there
            continue
    return None


def _stepped(optimizer: Optimizer, weights: Mapping[nn.Parameter, Tensor], device: str) -> list[State]:
    twin: Any = object.__new__(type(optimizer))
    vars(twin).update(vars(optimizer))
    hooks: State = {name: OrderedDict() for name in vars(twin) if name.endswith("_hooks")}
    vars(twin).update(hooks, state=defaultdict(dict), param_groups=[])
    stand_ins: dict[Any, nn.Parameter] = {}
    order: list[nn.Parameter] = []
    for number, group in enumerate(optimizer.param_groups):
        options = {key: copy.copy(value) for key, value in group.items() if key != "params"}
        options |= {key: False for key in _IN_ONE_KERNEL if key in group}
        own = []
        for parameter in group["params"]:
            weight = weights.get(parameter, parameter)
            kind = (number, weight.shape, weight.dtype)
            if kind not in stand_ins:  # one for all of its kind
                one = nn.Parameter(torch.zeros(weight.shape, dtype=weight.dtype, device=device))
                one.grad = torch.zeros_like(one)
                held = optimizer.state.get(parameter)
                if held:  # of those that keep something from the start on
                    twin.state[one] = {
                        name: torch.zeros_like(one) if _has_shape(value, parameter) else copy.copy(value)
                        for name, value in held.items()
                    }
                stand_ins[kind] = one
                own.append(one)
            order.append(stand_ins[kind])
        twin.param_groups.append(options | {"params": own})
    type(twin).step(twin)  # past what a scheduler has put around the step of the original
    return [twin.state.get(one, {}) for one in order]


def _has_shape(value: Any, parameter: Tensor) -> bool:
    return isinstance(value, Tensor) and value.shape == parameter.shape and value.ndim > 0


def _wrong(value: Any, usual: Any, name: Any) -> str | None:
    """What is wrong with a stored value, held against the one that the optimizer made."""
    if not isinstance(usual, Tensor):
        return None if alike(value, usual) else f"is {_shown(value)}"
    if not isinstance(value, Tensor):
        return f"is {_shown(value)}, no tensor"
    if value.shape != usual.shape:
        return f"is of another shape, {list(value.shape)} and not {list(usual.shape)}"
    kinds = {usual.dtype}
    if usual.ndim == 0 and usual.is_floating_point():
        kinds |= {torch.float32, torch.float64}  # by torch's default type as it was made
    if value.dtype not in kinds:
        return f"is {value.dtype}, not {usual.dtype}"
    return _wrong_values(value, name)


def _wrong_if_unknown(value: Any, weight: Tensor) -> str | None:
    """The same where nothing tells what the optimizer makes: a value for each weight, or one number."""
    if not isinstance(value, Tensor):
        number = value is None or isinstance(value, bool) or _is_number(value)
        return None if number else f"is {_shown(value)}"
    if value.shape not in (weight.shape, torch.Size([])):
        return f"is of another shape, {list(value.shape)} and not {list(weight.shape)}"
    if value.ndim and value.dtype != weight.dtype:
        return f"is {value.dtype}, not {weight.dtype}"
    return _wrong_values(value, None)


def _wrong_values(value: Tensor, name: Any) -> str | None:
    if value.requires_grad:
        return "asks for a gradient"
    if not is_dense(value):
        return "has gaps, or values in one place"
    if not (value.is_floating_point() or value.is_complex()):
        return None
    if not is_finite(value):
        return "is not finite"
    if name in _AT_LEAST_0 and value.numel() and value.min() < 0:
        return "is negative"
    if name == "step" and (value != value.round() or value >= MAX_COUNT):
        return "is no count of steps"
    return None


def is_dense(value: Tensor) -> bool:
    """Whether values lie without gaps and each in its own place, in whatever order of dimensions."""
    expected = 1
    for stride, size in sorted((st, si) for st, si in zip(value.stride(), value.shape) if si != 1):
        if stride != expected:
            return value.numel() == 0
        expected *= size
    return True


def _check_apart(moments: Mapping[Any, Mapping[Any, Any]]) -> None:
    """Raises ValueError where two moments lie in one place: a step of one would move the other."""
    places = []
    for index, values in moments.items():
        for name, value in values.items():
            if isinstance(value, Tensor) and value.ndim:
                storage = value.untyped_storage().data_ptr()
                begin = storage + value.storage_offset() * value.element_size()
                places.append(
                    (begin, begin + value.numel() * value.element_size(), f"{name} of parameter {index}")
                )
    places.sort()
    for (_, end, one), (begin, _, other) in itertools.pairwise(places):
        if begin < end:
            raise ValueError(f"{one} and {other} lie in one place")


def _check_groups(groups: Sequence[Any], optimizer: Optimizer) -> None:
    fresh = optimizer.state_dict()["param_groups"]
    numbers = [group.get("params") if isinstance(group, dict) else None for group in groups]
    usual_numbers = [group["params"] for group in fresh]
    if numbers != usual_numbers or any(type(number) is not int for own in numbers for number in own or ()):
        raise ValueError("the parameters are numbered otherwise")
    for group, usual in zip(groups, fresh, strict=True):
        for name in sorted(map(str, group.keys() ^ usual.keys())):
            raise ValueError(f"the option {name[:40]} is on one side alone")
        for name in usual:
            if not alike(group[name], usual[name]):
                raise ValueError(f"the option {name} is {_shown(group[name])}")
        _check_options(group, type(optimizer))


def _check_options(group: Mapping[str, Any], kind: type[Optimizer]) -> None:
    """Raises ValueError where the optimizer's own constructor would not take these options."""
    known = inspect.signature(kind).parameters
    options = {name: value for name, value in group.items() if name in known and name != "params"}
    try:
        kind([nn.Parameter(torch.zeros(1))], **options)
    except ValueError as error:
        raise ValueError(f"an option is refused: {error}") from error
    except Exception:  # one of anyone's, which is made otherwise
        return


def alike(stored: Any, usual: Any) -> bool:
    """Whether an option is of the kind that a fresh one has: a finite number for a number, else the same."""
    if isinstance(usual, Tensor):
        same = isinstance(stored, Tensor) and (stored.shape, stored.dtype) == (usual.shape, usual.dtype)
        return same and is_finite(stored)
    if isinstance(usual, list | tuple):
        same = isinstance(stored, list | tuple) and len(stored) == len(usual)
        return same and all(alike(a, b) for a, b in zip(stored, usual))
    if isinstance(usual, int | float) and not isinstance(usual, bool):
        return _is_number(stored)
    return type(stored) is type(usual) and bool(stored == usual)


def _is_number(value: Any) -> bool:
    if type(value) is int:
        return abs(value) < MAX_COUNT
    return type(value) is float and math.isfinite(value)


def _shown(value: Any) -> str:
    plain = (
        value is None or isinstance(value, bool | float | str) or (type(value) is int and abs(value) < 2**64)
    )
    return str(value)[:40] if plain else f"a {type(value).__name__}"
