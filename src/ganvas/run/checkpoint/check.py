"""What a checkpoint may hold: a right hash says that a file is whole, not who made it.

:func:`load_checked` reads a file without running anything in it and holds its contents against what ganvas
writes; :func:`check_fits` holds it against the model that it is about to be put into, as strictly as whoever
takes it up: what the fresh model, its optimizers and Lightning's loops would write themselves is the rule.
After both, nothing in the file can surprise torch or Lightning.
"""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ganvas.errors import OptionError
from ganvas.functional.finite import non_finite_name
from ganvas.run.checkpoint.optimizer_state import alike, check_optimizer_state
from ganvas.run.checkpoint.structure import check_structure
from ganvas.run.checkpoint.weights import check_weights
from ganvas.run.checkpoint.weights_file import read_weights


def load_checked(path: Path, map_location: Any = "cpu") -> dict[str, Any]:
    """The checkpoint that a file holds: :func:`load_plain_archive`, then :func:`check_checkpoint`.

    Of a file of weights (model.safetensors) it has the entries ``state_dict`` and ``ganvas_clock`` alone.
    """
    if path.suffix == ".safetensors":
        try:
            return read_weights(path)
        except OSError as error:
            raise foreign(path, f"it cannot be read: {error.strerror or error}") from error
        except ValueError as error:
            raise foreign(path, str(error)) from error
    return check_checkpoint(load_plain_archive(path, map_location), path)


def load_plain_archive(path: Path, map_location: Any = "cpu") -> Any:
    """What torch.save put into a file, read with ``weights_only``.

    Raises:
        OptionError: ``RUN``, in one line: no file of torch.save's, or a pickle that names code.
    """
    try:
        _check_archive(path)
        with warnings.catch_warnings():  # torch's, about kinds of tensors that are refused anyway
            warnings.simplefilter("ignore")
            return torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        raise foreign(path, "weights_only: it holds more than tensors and plain values") from error
    except OSError as error:
        raise foreign(path, f"it cannot be read: {error.strerror or error}") from error
    except Exception as error:  # whatever torch's reader and unpickler meet in a forged file
        raise foreign(path, f"{type(error).__name__}: {error}") from error


def check_checkpoint(checkpoint: object, path: Path) -> dict[str, Any]:
    """The same object, once every entry is of the kind that ganvas writes.

    Raises:
        OptionError: ``RUN``: an entry missing or of another type, anything but tensors and plain values.
    """
    if not isinstance(checkpoint, dict):
        raise foreign(path, f"it holds a {type(checkpoint).__name__}, no checkpoint")
    try:
        check_structure(checkpoint)
    except ValueError as error:
        raise foreign(path, str(error)) from error
    return checkpoint


def check_fits(
    checkpoint: dict[str, Any],
    *,
    model: nn.Module,
    clock: dict[str, int],
    optimizers: Sequence[torch.optim.Optimizer] | None,
    precision: str,
    path: Path,
    schedulers: Sequence[Any] = (),
) -> None:
    """Raises OptionError where a checked checkpoint is of another model, or would break this one.

    Args:
        checkpoint: see :func:`check_checkpoint`.
        model: the recipe, with weights of any value.
        clock: the recipe's counters, :meth:`ganvas.model.training.recipe.Recipe.clock`.
        optimizers: the recipe's, as made from the config, or None where they are not restored.
        precision: ``accelerator.precision``; with a true precision the stored floats have its type.
        path: the checkpoint, for the error.
        schedulers: of Lightning's, beside the schedules of ``add_optimizer``; read with the optimizers.
    """
    stored = checkpoint["state_dict"]
    try:
        check_weights(stored, model, precision)
    except ValueError as error:
        raise _of_another(path, str(error)) from error
    broken = non_finite_name(stored)
    if broken is not None:
        mend = "remove this checkpoint, so that the one before it is taken, or put a good copy in its place"
        raise OptionError("RUN", path, f"its {broken} is not finite (NaN or infinity); {mend}")
    other = sorted(map(str, checkpoint["ganvas_clock"].keys() ^ clock.keys()))
    if other:
        raise _of_another(path, f"its counters differ in {', '.join(other[:3])}")
    if optimizers is not None:
        _check_optimizers(checkpoint, optimizers, model, path)
        _check_schedulers(checkpoint["lr_schedulers"], schedulers, path)


def _check_optimizers(
    checkpoint: dict[str, Any],
    optimizers: Sequence[torch.optim.Optimizer],
    model: nn.Module,
    path: Path,
) -> None:
    states, stored = checkpoint["optimizer_states"], checkpoint["state_dict"]
    if len(states) != len(optimizers):
        raise _of_another(path, f"it holds {len(states)} optimizers, the model has {len(optimizers)}")
    named = model.named_parameters(remove_duplicate=False)
    weights = {parameter: stored[name] for name, parameter in named if name in stored}
    for number, (state, optimizer) in enumerate(zip(states, optimizers, strict=True)):
        try:
            check_optimizer_state(state, optimizer, weights)
        except ValueError as error:
            raise _of_another(path, f"in its optimizer {number} {error}") from error


def _check_schedulers(states: list[dict[str, Any]], schedulers: Sequence[Any], path: Path) -> None:
    if len(states) != len(schedulers):
        raise _of_another(path, f"it holds {len(states)} lr_schedulers, the model has {len(schedulers)}")
    for number, (state, scheduler) in enumerate(zip(states, schedulers, strict=True)):
        one = scheduler["scheduler"] if isinstance(scheduler, dict) else scheduler
        usual = one.state_dict()
        for name in sorted(map(str, state.keys() ^ usual.keys())):
            raise _of_another(path, f"in its lr_schedulers {number} {name[:40]} is on one side alone")
        for name, value in usual.items():
            if not alike(state[name], value):
                raise _of_another(path, f"in its lr_schedulers {number} {name} is of another kind")


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


def foreign(path: Path, reason: str) -> OptionError:
    """The error of a file that ganvas has not written, or not so."""
    reason = f"is no checkpoint of ganvas ({' '.join(reason.split())[:200]})"
    return OptionError("RUN", path, f"{reason}; put the run's own back, or remove it")


def _of_another(path: Path, reason: str) -> OptionError:
    return OptionError("RUN", path, f"is of another model: {reason}; keep the model as it was")
