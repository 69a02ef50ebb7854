"""The parts of a run, built from its config and checked; nothing is written yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import Logger

from ganvas.callback.checkpoint import Checkpoint
from ganvas.callback.early_stopping import EarlyStopping
from ganvas.callback.evaluation import Evaluation
from ganvas.errors import require
from ganvas.model.training.recipe import Recipe
from ganvas.run.config.build import build
from ganvas.run.config.reported import check_reported
from ganvas.run.prepare import construct, error_prefix, prepare
from ganvas.run.trainer import AcceleratorOptions, TrainerOptions


@dataclass
class Parts:
    """What a config describes, built and checked; nothing is written yet."""

    config: dict[str, Any]
    data: Any
    model: Recipe
    options: TrainerOptions
    machine: AcceleratorOptions
    callbacks: list[pl.Callback]
    loggers: list[Any]
    begins_with: str = "the start"  # for the log


def build_parts(config: dict[str, Any]) -> Parts:
    """What ``config`` describes.

    Raises:
        OptionError: whatever is wrong with the config.
    """
    data, model, options, machine = prepare(config)
    callbacks = _callbacks_of(config)
    for callback in callbacks:
        if isinstance(callback, Evaluation):
            with error_prefix("callback.evaluation"):
                callback.check(data, model)
    # A checkpoint comes after everything else that its batch brings, and a stop after what it looks at.
    callbacks.sort(key=lambda one: (isinstance(one, Checkpoint), isinstance(one, EarlyStopping)))
    return Parts(config, data, model, options, machine, callbacks, _build_group(config, "logger"))


def construct_parts(config: dict[str, Any], given: Mapping[str, Any]) -> tuple[Any, Recipe]:
    """Data and model of a run whose data may not be there yet: see :func:`ganvas.run.prepare.construct`.

    Raises:
        OptionError: what is wrong with the options of any part, callback or logger.
    """
    data, model = construct(config, given)
    _callbacks_of(config)
    _build_group(config, "logger")
    return data, model


def _callbacks_of(config: dict[str, Any]) -> list[Any]:
    callbacks = _build_group(config, "callback")
    for callback in callbacks:
        if isinstance(callback, EarlyStopping):
            option = "callback.early_stopping.monitor"
            reason = f"is no scalar to watch; give {option}=validation/psnr or the like"
            require(bool(callback.monitor), option, "null", reason)
            check_reported(config, callback.monitor, option)
    return callbacks


def _build_group(config: dict[str, Any], group: str) -> list[Any]:
    """The parts of ``callback`` or ``logger``, in the config's order; null is none."""
    kind = pl.Callback if group == "callback" else Logger
    parts = []
    for name, node in (config.get(group) or {}).items():
        if node is not None and (part := build(node, f"{group}.{name}")) is not None:
            reason = f"is no {group}: it must be a {kind.__module__}.{kind.__name__}"
            require(isinstance(part, kind), f"{group}.{name}._target_", node["_target_"], reason)
            parts.append(part)
    return parts
