"""From a config to data and model, with whatever is wrong found before anything is written."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn

from ganvas.errors import OptionError, require
from ganvas.functional.nearest import set_fused
from ganvas.functional.random import hash64
from ganvas.model.interface import FromLatents, Reconstructs, Samples
from ganvas.model.training.mistakes import check_hooks
from ganvas.model.training.recipe import Recipe
from ganvas.model.training.snapshot import updates_itself
from ganvas.run.config.budget import check_all_move, find_budget
from ganvas.run.config.build import bind, build
from ganvas.run.config.limits import check_epoch, check_machine
from ganvas.run.distributed.strategy import check_strategy
from ganvas.run.folder.usable import LATENTS, RECONSTRUCTS, SAMPLES
from ganvas.run.load import model_of, tokenizer_of
from ganvas.run.process.threads import choose_threads
from ganvas.run.trainer import AcceleratorOptions, TrainerOptions, epoch_batches, processes


def prepare(config: dict[str, Any]) -> tuple[Any, Recipe, TrainerOptions, AcceleratorOptions]:
    """Builds data and model, and finds whatever is wrong with the config before anything is written."""
    require(
        isinstance(config["seed"], int) and 0 <= config["seed"] < 2**63,
        "seed",
        config["seed"],
        "must be a whole number in [0, 2^63)",
    )
    options, machine = _options_of(config)
    torch.set_float32_matmul_precision(machine.matmul_precision)
    with error_prefix("accelerator"):
        set_fused(machine.fused_search)
    given = tokenizer_of(config, config.get("allow_imports") or ())
    data = _data_of(config, given)
    with error_prefix("data"):
        data.prepare()
    model = build_model(config, data, given)
    world = processes(machine)
    passed = _check_shares(model, data, options, world)
    share = data.batch_size // world
    if config["model"].get("init_from") is None:  # else codes are those of another run
        with error_prefix("model"):
            model.check_first_batch(_two_samples(data), passed * world)
    choose_threads(machine.threads, model, share, uses_cpu=machine.uses_cpu)
    if machine.channels_last is None:
        machine = replace(machine, channels_last=_gains_by_channels_last(model, machine))
        config["accelerator"]["channels_last"] = machine.channels_last  # a resumed run keeps it
    check_strategy(
        machine.strategy,
        model,
        precision=machine.precision,
        compiles=machine.compile,
        channels_last=bool(machine.channels_last),
    )
    train, val = (data.num_samples(name) for name in ("train", "val"))
    check_epoch(options, train_batches=train // data.batch_size, val_batches=-(-val // data.batch_size))
    every, batches = options.val_check_interval, epoch_batches(options, data.batch_size, train)
    require(
        not isinstance(every, int) or options.check_val_every_n_epoch is None or every <= batches,
        "trainer.val_check_interval",
        every,
        f"an epoch has {batches} batches; add trainer.check_val_every_n_epoch=null to count across epochs",
    )
    check_all_move(model, find_budget(options, batch_size=data.batch_size, train_samples=train))
    return data, model, options, machine


def construct(config: dict[str, Any], given: Mapping[str, Any]) -> tuple[Any, Recipe]:
    """Data and model of a config whose data may not be there yet, with whatever is wrong with their options.

    No data are read, so what their samples say of the model is not known.

    Args:
        given: ``tokenizer`` for both, where they rest on one; its weights may be any.
    """
    options, machine = _options_of(config)
    data = _data_of(config, given)
    model = _model_of(config, data, given)
    with error_prefix("model"):
        model.configure_optimizers()
    _check_shares(model, data, options, processes(machine))
    return data, model


def _options_of(config: dict[str, Any]) -> tuple[TrainerOptions, AcceleratorOptions]:
    options = _section(TrainerOptions, config["trainer"], "trainer")
    machine = _section(AcceleratorOptions, config["accelerator"], "accelerator")
    check_machine(machine)
    return options, machine


def _data_of(config: dict[str, Any], given: Mapping[str, Any]) -> Any:
    data = build(config["data"] | given, "data")
    name, rule = config["data"].get("_target_"), "is no data; choose data=digits"
    require(isinstance(data, pl.LightningDataModule), "data._target_", name, rule)
    return data


def _check_shares(model: Recipe, data: Any, options: TrainerOptions, world: int) -> int:
    """Samples in one forward pass; raises OptionError where a batch cannot be divided so."""
    rule = f"is global and must be a multiple of the {world} processes"
    require(data.batch_size % world == 0, "data.batch_size", data.batch_size, rule)
    share, parts = data.batch_size // world, options.micro_batches
    rule = f"must divide the {share} samples that each process takes of a batch"
    require(share % parts == 0, "trainer.micro_batches", parts, rule)
    passed = int(share // parts)
    _check_groups(model, data.batch_size, passed, passed * world)
    return passed


def _check_groups(model: Recipe, batch_size: int, passed: int, joint: int) -> None:
    """Raises OptionError where a layer compares samples in groups that a forward pass cannot be divided into.

    Args:
        batch_size: of the global batch.
        passed: samples of it in one forward pass.
        joint: the same of all processes together.
    """
    compares = next((m for m in model.modules() if getattr(m, "compares_samples", False)), None)
    rule = (
        f"gives 1 sample to a forward pass, and {type(compares).__name__} compares samples; more, or fewer "
    )
    rule += "trainer.micro_batches"
    require(joint > 1 or compares is None, "data.batch_size", batch_size, rule)
    for module in model.modules():
        group = getattr(module, "batch_multiple", 1)
        rule = (
            f"gives {passed} samples to a forward pass, and a layer compares them in groups of {group}; a "
            f"multiple of {group * (batch_size // passed)}, or another model.discriminator.minibatch_group"
        )
        require(passed % group == 0, "data.batch_size", batch_size, rule)


def _gains_by_channels_last(model: Recipe, machine: AcceleratorOptions) -> bool:
    """Whether convolutions on a CPU gain by the layout (benchmarks/training_step.py --options)."""
    has_convolutions = any(isinstance(m, nn.Conv2d | nn.ConvTranspose2d) for m in model.modules())
    return has_convolutions and machine.uses_cpu and machine.strategy != "fsdp"


def configure(
    model: Recipe,
    options: TrainerOptions,
    machine: AcceleratorOptions,
    *,
    batch_size: int,
    batches: int | None = None,
) -> None:
    """Tells the recipe what the trainer and the machine ask of it; before ``fit``.

    Args:
        batch_size: of the global batch.
        batches: after which the run ends; None where only a clock ends it.
    """
    model.log_every(options.log_every_examples, batch_size, batches)
    model.set_non_finite_policy(options.non_finite, options.max_skips)
    model.micro_batches = options.micro_batches
    if machine.channels_last:
        model.to(memory_format=torch.channels_last)
    if machine.compile:
        # Else a compiled graph can be gone through once alone, and Recipe.gradients_at goes before descend.
        functorch_config = importlib.import_module("torch._functorch.config")
        functorch_config.donated_buffer = False  # type: ignore[attr-defined]
        for network in model.networks.values():
            # Not a quantizer: on an H200 the first codes of a compiled one lay further from their data (first
            # loss/codebook of 2.1e-4, eager 3.9e-5, benchmarks/gpu/check.py); why is not known.
            if not updates_itself(network):
                network.compile()


def abilities_of(model: Recipe) -> list[str]:
    """What the recipe can do, in the words of :mod:`ganvas.run.folder.usable`."""
    kinds = {SAMPLES: Samples, LATENTS: FromLatents, RECONSTRUCTS: Reconstructs}
    return [word for word, kind in kinds.items() if isinstance(model, kind)]


def build_model(config: dict[str, Any], data: Any, given: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe with its initial weights (a function of the seed), checked against the data's samples.

    Args:
        given: objects for its constructor that no config describes.
    """
    _check_classes(config["model"], "model", getattr(data, "num_classes", None))
    model = _model_of(config, data, given or {})
    sample = _two_samples(data)
    with error_prefix("model"):
        try:
            model.check_sample(sample)
        except OptionError as error:
            if error.option not in ("generator", "decoder"):
                raise
            # It makes other shapes than the data's, whose size is what the user sets.
            raise OptionError("data.image_size", list(sample.shape[1:]), error.reason) from error
        except (RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise OptionError(
                "data.image_size",
                list(sample.shape[1:]),
                f"the model cannot take such samples ({reason}); choose another size or another model",
            ) from error
        model.configure_optimizers()
        model.check_data(lambda: data.facts())
    return model


def _model_of(config: dict[str, Any], data: Any, given: Mapping[str, Any]) -> Recipe:
    """The recipe with its initial weights, a function of the seed."""
    torch.manual_seed(hash64(config["seed"], "init"))
    try:
        model = model_of(config, data, dict(given))
    except RuntimeError as error:  # torch has no class of its own for it on a CPU
        if not re.search("allocate memory|out of memory|size calculation overflowed", str(error)):
            raise
        reason = f"its networks do not fit into memory ({str(error).splitlines()[0]}); choose smaller sizes"
        raise OptionError("model._target_", config["model"]["_target_"], reason) from error
    if not isinstance(model, Recipe):
        reason = "is no ganvas.model.training.recipe.Recipe; choose model=mlp_gan, or give it that base"
        raise OptionError("model._target_", config["model"]["_target_"], reason)
    check_hooks(model, Recipe)
    return model


def _two_samples(data: Any) -> torch.Tensor:
    """As the recipe is trained on them: of data that are latents of samples, these."""
    batches = getattr(data, "latents", data.batches)
    samples: torch.Tensor = next(iter(batches("train", 2, limit=2))).x
    return samples


def _check_classes(node: dict[str, Any], path: str, there: int | None) -> None:
    """Raises OptionError where a recipe or a part of it is told another number of classes than the data's."""
    for key, value in node.items():
        if key == "num_classes" and node.get("conditional") is False:
            continue  # nothing is made by class
        if isinstance(value, dict):
            _check_classes(value, f"{path}.{key}", there)
        elif key == "num_classes":
            shown = "null" if there is None else there
            rule = f"must be that of the data, {shown}; leave it out"
            require(value in (None, there), f"{path}.{key}", value, rule)


def _section(kind: Any, values: dict[str, Any], path: str) -> Any:
    values = {key: value for key, value in values.items() if not key.startswith("_")}
    arguments = bind(kind, values, path)
    with error_prefix(path):
        return kind(**arguments)


class error_prefix:
    """Puts the section's path before an OptionError that does not carry it yet."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        known = ("data.", "model.", f"{self.path}.")
        if isinstance(error, OptionError) and not error.option.startswith(known):
            raise error.under(self.path) from error
