"""What a checkpoint may hold: a right hash says that a file is whole, not who made it.

:func:`load_checked` reads a file without running anything in it and holds its contents against what ganvas
writes; :func:`check_fits` holds it against the model that it is about to be put into. After both, nothing in
the file can surprise torch or Lightning.
"""

from __future__ import annotations

import math
import pickle
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganvas.errors import OptionError

MAX_DEPTH = 32  # of nested dicts and lists; Lightning's loops have 7
_KEYS: dict[str, type | tuple[type, ...]] = {
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
_PROGRESS = {"total", "current", "ready", "started", "processed", "completed", "is_last_batch"}
_OPTIMIZER_PROGRESS = {"optimizer", "step", "zero_grad"}
_TRUE_PRECISION = {"bf16-true": torch.bfloat16, "64-true": torch.float64}


def load_checked(path: Path, map_location: Any = "cpu") -> dict[str, Any]:
    """The checkpoint that a file holds: :func:`load_plain_archive`, then :func:`check_checkpoint`."""
    return check_checkpoint(load_plain_archive(path, map_location), path)


def load_plain_archive(path: Path, map_location: Any = "cpu") -> Any:
    """What torch.save put into a file, read with ``weights_only``.

    Raises:
        OptionError: ``RUN``, in one line: no file of torch.save's, or a pickle that names code.
    """
    try:
        _check_archive(path)
        return torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        raise _foreign(path, "weights_only: it holds more than tensors and plain values") from error
    except OSError as error:
        raise _foreign(path, f"it cannot be read: {error.strerror or error}") from error
    except Exception as error:  # whatever torch's reader and unpickler meet in a forged file
        raise _foreign(path, f"{type(error).__name__}: {error}") from error


def check_checkpoint(checkpoint: object, path: Path) -> dict[str, Any]:
    """The same object, once every entry is of the kind that ganvas writes.

    Raises:
        OptionError: ``RUN``: an entry missing or of another type, anything but tensors and plain values.
    """
    if not isinstance(checkpoint, dict):
        raise _foreign(path, f"it holds a {type(checkpoint).__name__}, no checkpoint")
    for key, kind in _KEYS.items():
        if key not in checkpoint:
            raise _foreign(path, f"it holds no {key}")
        if not isinstance(checkpoint[key], kind) or isinstance(checkpoint[key], bool):
            raise _foreign(path, f"its {key} is a {type(checkpoint[key]).__name__}")
    try:
        for key, value in checkpoint.items():
            _check_plain(value, str(key), 0)
        _check_counters(checkpoint)
        _check_loops(checkpoint["loops"])
        _check_entries(checkpoint)
        _check_guard(checkpoint.get("ganvas_guard", {"skipped": {}, "consecutive_skips": {}}))
        _check_scalers(checkpoint.get("ganvas_scalers", {}))
    except ValueError as error:
        raise _foreign(path, str(error)) from error
    return checkpoint


def check_fits(
    checkpoint: dict[str, Any],
    *,
    model: nn.Module,
    clock: dict[str, int],
    optimizers: Sequence[torch.optim.Optimizer] | None,
    precision: str,
    path: Path,
) -> None:
    """Raises OptionError where a checked checkpoint is of another model, or would break this one.

    Args:
        checkpoint: see :func:`check_checkpoint`.
        model: the recipe, with weights of any value.
        clock: the recipe's counters, :meth:`ganvas.model.training.recipe.Recipe.clock`.
        optimizers: the recipe's, as made from the config, or None where they are not restored.
        precision: ``accelerator.precision``; with a true precision the stored floats have its type.
        path: the checkpoint, for the error.
    """
    _check_state(checkpoint["state_dict"], model.state_dict(), precision, path)
    other = sorted(checkpoint["ganvas_clock"].keys() ^ clock.keys())
    if other:
        raise _of_another(path, f"its counters differ in {', '.join(other[:3])}")
    if optimizers is not None:
        _check_optimizers(checkpoint["optimizer_states"], optimizers, path)


def _check_archive(path: Path) -> None:
    """Raises ValueError unless the file is a zip as torch.save makes it: nothing compressed, so no bomb."""
    with path.open("rb") as file:
        if file.read(4) != b"PK\x03\x04":
            raise ValueError("it is no zip archive, which every checkpoint is")
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    size = path.stat().st_size
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ValueError("its members are compressed, which torch.save never does")
    if sum(member.file_size for member in members) > size:
        raise ValueError("its members overlap")


def _check_plain(value: Any, where: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ValueError(f"its {where[:60]} is too deeply nested")
    if isinstance(value, Tensor):
        usual = type(value) in (Tensor, nn.Parameter) and value.layout is torch.strided
        if not usual or value.is_quantized or value.is_meta:
            raise ValueError(f"its {where} is no ordinary tensor")
        stored = value.untyped_storage().nbytes() // max(value.element_size(), 1)
        if value.numel() > stored:  # a stride of 0 makes a petabyte of a number
            raise ValueError(f"its {where} says more values than it stores")
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str | int):
                raise ValueError(f"its {where} has a key of type {type(key).__name__}")
            _check_plain(item, f"{where}.{key}", depth + 1)
    elif isinstance(value, list | tuple | set):
        for item in value:
            _check_plain(item, f"{where}[]", depth + 1)
    elif not isinstance(value, str | int | float | bool | None):
        raise ValueError(f"its {where} is a {type(value).__name__}")


def _check_counters(checkpoint: dict[str, Any]) -> None:
    counters = {key: checkpoint[key] for key in ("epoch", "global_step")} | checkpoint["ganvas_clock"]
    for name, value in counters.items():
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
            raise ValueError(f"its counter {name} is {str(value)[:40]}, no whole number of at least 0")


def _check_loops(loops: dict[Any, Any]) -> None:
    """Lightning takes every name in a ``*_progress`` for an attribute of its own."""
    if not isinstance(loops.get("fit_loop"), dict):
        raise ValueError("its loops hold no fit_loop")
    for loop, states in loops.items():
        if not isinstance(states, dict):
            raise ValueError(f"its loops.{loop} is a {type(states).__name__}")
        for name, state in states.items():
            where = f"loops.{loop}.{name}"
            if not isinstance(state, dict):
                raise ValueError(f"its {where} is a {type(state).__name__}")
            if str(name).endswith("_progress"):
                _check_progress(state, where)
            elif not str(name).endswith("state_dict"):
                raise ValueError(f"it holds {where}, which Lightning does not write")
    inner = loops["fit_loop"].get("epoch_loop.state_dict", {}).get("_batches_that_stepped", 0)
    if not isinstance(inner, int) or inner < 0:
        raise ValueError("its count of batches is no whole number of at least 0")


def _check_progress(state: dict[Any, Any], where: str) -> None:
    for name, value in state.items():
        if name not in _PROGRESS | _OPTIMIZER_PROGRESS:
            raise ValueError(f"its {where} holds {name}, which Lightning does not write")
        if isinstance(value, dict) and name in {"total", "current"} | _OPTIMIZER_PROGRESS:
            _check_progress(value, f"{where}.{name}")
        elif not isinstance(value, int) or value < 0:
            raise ValueError(f"its {where}.{name} is no whole number of at least 0")


def _check_entries(checkpoint: dict[str, Any]) -> None:
    version = checkpoint["pytorch-lightning_version"]
    if re.fullmatch(r"2\.\d{1,3}\.\d{1,3}[\w.+-]{0,20}", version) is None:
        raise ValueError(f"it was written by pytorch-lightning {version[:40]}, and this is one of version 2")
    for name, value in checkpoint["state_dict"].items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise ValueError(f"its state_dict holds {str(name)[:60]}, which is no tensor with a name")
    for key in ("optimizer_states", "lr_schedulers"):
        if not all(isinstance(state, dict) for state in checkpoint[key]):
            raise ValueError(f"its {key} are no dicts")
    for name, state in checkpoint["callbacks"].items():
        if not isinstance(name, str) or not isinstance(state, dict):
            raise ValueError("its callbacks are no dicts with a name")


def _check_guard(guard: Any) -> None:
    """What :meth:`ganvas.model.training.guard.Guard.state` gives: two tables of counts."""
    is_guard = isinstance(guard, dict) and guard.keys() == {"skipped", "consecutive_skips"}
    tables = list(guard.values()) if is_guard else []
    counts = [table.values() if isinstance(table, dict) else [None] for table in tables]
    if not counts or any(not isinstance(count, int) or count < 0 for table in counts for count in table):
        raise ValueError("its ganvas_guard holds no counts")


def _check_scalers(scalers: Any) -> None:
    """State of torch's GradScaler by the names of optimizers: finite numbers of at least 0."""
    if not isinstance(scalers, dict) or not all(isinstance(state, dict) for state in scalers.values()):
        raise ValueError("its ganvas_scalers are no dicts")
    for name, state in scalers.items():
        numbers = all(type(value) in (int, float) and 0 <= value < math.inf for value in state.values())
        if state.keys() != torch.amp.GradScaler("cpu").state_dict().keys() or not numbers:
            raise ValueError(f"its ganvas_scalers.{str(name)[:40]} is no state of a GradScaler")


def _check_state(stored: dict[str, Tensor], wanted: dict[str, Tensor], precision: str, path: Path) -> None:
    for key in sorted(stored.keys() | wanted.keys()):
        held = tuple(stored[key].shape) if key in stored else None
        needed = tuple(wanted[key].shape) if key in wanted else None
        if held != needed:
            raise _of_another(path, f"it holds {key[:80]} of {held}, the model {needed}")
        kinds = {wanted[key].dtype}
        if wanted[key].is_floating_point() and precision in _TRUE_PRECISION:
            kinds = {_TRUE_PRECISION[precision], torch.float32}
        if stored[key].dtype not in kinds:
            raise _of_another(path, f"its {key} is {stored[key].dtype}, the model's {wanted[key].dtype}")


def _check_optimizers(states: list[Any], optimizers: Sequence[torch.optim.Optimizer], path: Path) -> None:
    """Fused kernels trust that a moment has its parameter's shape."""
    if len(states) != len(optimizers):
        raise _of_another(path, f"it holds {len(states)} optimizers, the model has {len(optimizers)}")
    for number, (state, optimizer) in enumerate(zip(states, optimizers)):
        try:
            _check_optimizer(state, optimizer)
        except ValueError as error:
            raise _of_another(path, f"in its optimizer {number} {error}") from error


def _check_optimizer(state: dict[str, Any], optimizer: torch.optim.Optimizer) -> None:
    fresh = optimizer.state_dict()
    groups, moments = state.get("param_groups"), state.get("state")
    if not isinstance(groups, list) or not isinstance(moments, dict):
        raise ValueError("the state or the param_groups are missing")
    if [isinstance(g, dict) and g.get("params") for g in groups] != [
        g["params"] for g in fresh["param_groups"]
    ]:
        raise ValueError("the parameters are numbered otherwise")
    for group, usual in zip(groups, fresh["param_groups"]):
        for name in sorted(group.keys() ^ usual.keys()):
            raise ValueError(f"the option {str(name)[:40]} is on one side alone")
        for name in usual:
            if not _alike(group[name], usual[name]):
                raise ValueError(f"the option {name} is {str(group[name])[:40]}")
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for index, values in moments.items():
        if not isinstance(index, int) or not 0 <= index < len(parameters) or not isinstance(values, dict):
            raise ValueError(f"there is a state {str(index)[:40]} of no parameter")
        for name, value in values.items():
            tensor = isinstance(value, Tensor) and value.shape in (parameters[index].shape, torch.Size([]))
            if not isinstance(name, str) or not (tensor or isinstance(value, int | float | None)):
                raise ValueError(f"{str(name)[:40]} of parameter {index} is of another shape")


def _alike(stored: Any, usual: Any) -> bool:
    """Whether an option is of the kind that the optimizer has: a finite number for a number, and so on."""
    if isinstance(usual, list | tuple):
        same = isinstance(stored, list | tuple) and len(stored) == len(usual)
        return same and all(_alike(a, b) for a, b in zip(stored, usual))
    if isinstance(usual, int | float) and not isinstance(usual, bool):
        number = isinstance(stored, int | float) and not isinstance(stored, bool)
        return number and math.isfinite(stored)
    return stored is None or isinstance(stored, bool | str) if usual is None else type(stored) is type(usual)


def _foreign(path: Path, reason: str) -> OptionError:
    reason = f"is no checkpoint of ganvas ({' '.join(reason.split())[:200]})"
    return OptionError("RUN", path, f"{reason}; put the run's own back, or remove it")


def _of_another(path: Path, reason: str) -> OptionError:
    return OptionError("RUN", path, f"is of another model: {reason}; keep the model as it was")
