"""What lies in a checkpoint, and where: plain values and ordinary tensors, in tables of known names.

Each check raises ValueError with what is wrong, as the rest of "is no checkpoint of ganvas (...)".
"""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor, nn

from ganvas.functional.checked_values import MAX_COUNT, number, table, whole
from ganvas.model.training.lightning_internals import fresh_loops

MAX_DEPTH = 32  # of nested dicts and lists; Lightning's loops have 7
_KEYS: dict[str, type] = {
    "state_dict": dict,
    "ganvas_clock": dict,
    "optimizer_states": list,
    "lr_schedulers": list,
    "loops": dict,
    "callbacks": dict,
    "epoch": int,
    "global_step": int,
    "pytorch-lightning_version": str,
}
_STEPS = ("fit_loop", "epoch_loop.manual_optimization.optim_step_progress", "total", "completed")
# Where a state of a GradScaler lies beside those of the recipe's optimizers: Lightning takes both up.
_SCALERS_OF_LIGHTNING = ("MixedPrecision", "native_amp_scaling_state")


def check_structure(checkpoint: dict[Any, Any]) -> None:
    """Raises ValueError unless every entry is of the kind that ganvas writes."""
    for key, kind in _KEYS.items():
        if key not in checkpoint:
            raise ValueError(f"it holds no {key}")
        if not isinstance(checkpoint[key], kind) or isinstance(checkpoint[key], bool):
            raise ValueError(f"its {key} is a {type(checkpoint[key]).__name__}")
    for key, value in checkpoint.items():
        _check_plain(value, str(key), 0)
    _check_clock(checkpoint)
    _check_loops(checkpoint)
    _check_entries(checkpoint)
    _check_guard(checkpoint.get("ganvas_guard", {"skipped": {}, "consecutive_skips": {}}))
    scalers = checkpoint.get("ganvas_scalers", {})
    if not isinstance(scalers, dict) or not all(isinstance(state, dict) for state in scalers.values()):
        raise ValueError("its ganvas_scalers are no dicts")
    of_lightning = {name: checkpoint[name] for name in _SCALERS_OF_LIGHTNING if name in checkpoint}
    for name, state in (scalers | of_lightning).items():
        _check_scaler(state, str(name)[:40])


def _check_plain(value: Any, where: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ValueError(f"its {where[:60]} is too deeply nested")
    if isinstance(value, Tensor):
        _check_ordinary(value, where)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str | int) or isinstance(key, bool):
                raise ValueError(f"its {where} has a key of type {type(key).__name__}")
            _check_plain(item, f"{where}.{key}", depth + 1)
    elif isinstance(value, list | tuple | set):
        for item in value:
            _check_plain(item, f"{where}[]", depth + 1)
    elif not isinstance(value, str | int | float | bool | None):
        raise ValueError(f"its {where} is a {type(value).__name__}")


def _check_ordinary(value: Tensor, where: str) -> None:
    usual = type(value) in (Tensor, nn.Parameter) and value.layout is torch.strided
    if not usual or value.is_quantized or value.is_meta or value.is_nested:
        raise ValueError(f"its {where} is no ordinary tensor")
    if value.is_conj() or value.is_neg():  # kernels that take a pointer would not see it
        raise ValueError(f"its {where} is a conjugated or negated view")
    stored = value.untyped_storage().nbytes() // max(value.element_size(), 1)
    if value.numel() > stored:  # a stride of 0 makes a petabyte of a number
        raise ValueError(f"its {where} says more values than it stores")


def _check_clock(checkpoint: dict[str, Any]) -> None:
    counters = {key: checkpoint[key] for key in ("epoch", "global_step")} | checkpoint["ganvas_clock"]
    for name, value in counters.items():
        if type(value) is not int or not 0 <= value < MAX_COUNT:
            shown = (
                "a number of many digits" if type(value) is int and value >= MAX_COUNT else str(value)[:40]
            )
            raise ValueError(f"its counter {name} is {shown}, no whole number from 0 to 2^53")


def _check_loops(checkpoint: dict[str, Any]) -> None:
    """Lightning takes every name in a ``*_progress`` for an attribute of its own."""
    loops, usual = checkpoint["loops"], fresh_loops()
    if not isinstance(loops.get("fit_loop"), dict):
        raise ValueError("its loops hold no fit_loop")
    is_same_version = checkpoint["pytorch-lightning_version"] == version("pytorch-lightning")
    for loop, states in loops.items():
        if not isinstance(states, dict):
            raise ValueError(f"its loops.{loop} is a {type(states).__name__}")
        known = usual.get(loop, {})
        for name in states.keys() - known.keys():
            raise ValueError(f"it holds loops.{loop}.{name}, which Lightning does not write")
        missing = known.keys() - states.keys()
        if missing and is_same_version:  # Lightning itself takes what an older one did not write
            raise ValueError(f"its loops.{loop} hold no {min(missing)}")
        for name, state in states.items():
            _check_like(_without_loaders(state, loop, name), known[name], f"loops.{loop}.{name}")
    _check_agrees(checkpoint)


def _without_loaders(state: Any, loop: str, name: str) -> Any:
    """The fit loop's own state but for those of loaders, of which ganvas has one."""
    if (loop, name) != ("fit_loop", "state_dict") or not isinstance(state, dict):
        return state
    loaders = state.get("combined_loader", [{}])
    if not isinstance(loaders, list) or not all(isinstance(one, dict) for one in loaders) or len(loaders) > 1:
        raise ValueError("its loops hold no state of one loader")
    return {key: value for key, value in state.items() if key != "combined_loader"}


def _check_like(stored: Any, usual: Any, where: str) -> None:
    """Raises ValueError unless a value is what ``usual`` is: a table of its keys, a count, yes or no."""
    if isinstance(usual, dict):
        if not isinstance(stored, dict):
            raise ValueError(f"its {where} is a {type(stored).__name__}")
        for key in stored.keys() ^ usual.keys():
            does = "holds" if key in stored else "lacks"
            raise ValueError(f"its {where} {does} {str(key)[:40]}, which Lightning does not write so")
        for key in usual:
            _check_like(stored[key], usual[key], f"{where}.{key}")
    elif type(stored) is not type(usual):
        kind = "yes or no" if isinstance(usual, bool) else "whole number of at least 0"
        raise ValueError(f"its {where} is no {kind}")
    elif type(usual) is int and not 0 <= stored < MAX_COUNT:
        raise ValueError(f"its {where} is no whole number of at least 0")


def _check_agrees(checkpoint: dict[str, Any]) -> None:
    """Raises ValueError where the loops have another clock than the recipe."""
    batches = checkpoint["ganvas_clock"].get("batches_seen", checkpoint["global_step"])
    steps: Any = checkpoint["loops"]
    for key in _STEPS:
        steps = steps.get(key, {}) if isinstance(steps, dict) else {}
    counts = {"global_step": checkpoint["global_step"], ".".join(_STEPS[:2]): steps}
    for name, count in counts.items():
        if count not in (batches, {}):
            raise ValueError(f"its {name} counts {count} batches, its ganvas_clock {batches}")
    examples = checkpoint["ganvas_clock"].get("examples_seen", batches)
    if batches > examples:
        raise ValueError(f"its ganvas_clock counts {batches} batches of {examples} examples")
    most = 2 * batches + 2  # an epoch has a batch, and each is noted when it begins and when it ends
    for name, state in checkpoint["loops"]["fit_loop"].items():
        if ".val_loop." not in name and (count := _largest(state)) > most:
            raise ValueError(f"its loops.fit_loop.{name} counts {count}, and there were {batches} batches")


def _largest(state: Any) -> int:
    if isinstance(state, dict):
        return max((_largest(value) for value in state.values()), default=0)
    return int(state) if isinstance(state, int) else 0


def _check_entries(checkpoint: dict[str, Any]) -> None:
    written_by = checkpoint["pytorch-lightning_version"]
    if re.fullmatch(r"2\.\d{1,3}\.\d{1,3}[\w.+-]{0,20}", written_by) is None:
        raise ValueError(
            f"it was written by pytorch-lightning {written_by[:40]}, and this is one of version 2"
        )
    for name, value in checkpoint["state_dict"].items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise ValueError(f"its state_dict holds {str(name)[:60]}, which is no tensor with a name")
    for key in ("optimizer_states", "lr_schedulers"):
        if not all(isinstance(state, dict) for state in checkpoint[key]):
            raise ValueError(f"its {key} are no dicts")
    for name, state in checkpoint["callbacks"].items():
        if not isinstance(name, str) or not isinstance(state, dict):
            raise ValueError("its callbacks are no dicts with a name")
    if type(checkpoint.get("ganvas_validation_left_out", False)) is not bool:
        raise ValueError("its ganvas_validation_left_out is neither true nor false")
    sizes = table({"ganvas_files": {}} | checkpoint, "ganvas_files")
    for name in sizes:
        whole(sizes, name)


def _check_guard(guard: Any) -> None:
    """What :meth:`ganvas.model.training.guard.Guard.state` gives: two tables of counts."""
    if not isinstance(guard, dict) or guard.keys() != {"skipped", "consecutive_skips"}:
        raise ValueError("its ganvas_guard holds no counts")
    try:
        for kind in guard:
            counts = table(guard, kind)
            for name in counts:
                whole(counts, name)
    except ValueError as error:
        raise ValueError(f"its ganvas_guard holds no counts: {error}") from None


def _check_scaler(state: Any, name: str) -> None:
    """What torch's GradScaler says of itself; with a scale of 0 every gradient would be NaN."""
    usual = torch.amp.GradScaler("cpu").state_dict()
    try:
        if not isinstance(state, dict) or state.keys() != usual.keys():
            raise ValueError("it has other entries")
        least = {"scale": 2.0**-149, "growth_factor": 1, "backoff_factor": 2.0**-149}
        for key, value in least.items():
            number(state, key, least=value)
        if state["backoff_factor"] > 1:
            raise ValueError(f"backoff_factor is {state['backoff_factor']}, more than 1")
        for key, value in {"growth_interval": 1, "_growth_tracker": 0}.items():
            whole(state, key, value)
    except ValueError as error:
        raise ValueError(f"its ganvas_scalers.{name} is no state of a GradScaler: {error}") from None
