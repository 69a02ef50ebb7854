"""Every part of conf/model on the device against the CPU; the metrics are in metric_options.py.

The options are the YAML files that are there, so that a new part of a known group is taken up by itself; the
options of a group without a driver here are trained in a recipe for two batches instead.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import metric_options
import torch
from comparison import TOLERANCE, TOLERANCE_FLOAT64, compared
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ganvas.cli.compose.experiment import compose
from ganvas.files.folders import packaged_conf
from ganvas.functional.code_layout import CodeLayout
from ganvas.functional.random import Draws
from ganvas.run.config.build import build
from runs import NUM_CLASSES, Bench, train

BATCH = 8
FIRST = ("dcgan", "vqvae")  # recipes that a part is tried in before the others: convolutions


class Inputs(NamedTuple):
    """What parts take, all of one batch."""

    x: Tensor  # samples [B, C, H, W] in [-1, 1], or sounds [B, C, T]; or int64 [B, T] where they are symbols
    other: Tensor  # likewise
    made: Tensor  # what a decoder makes of samples: like x, or logits [B, V, T] of symbols
    z: Tensor  # latents [B, latent_dim]
    grid: Tensor  # what the encoder makes of x, [B, D, *positions]
    label: Tensor  # int64 [B]
    logits: Tensor  # [B]
    other_logits: Tensor  # [B]


def check(bench: Bench) -> dict[str, Any]:
    """Deviation of each option's outputs and gradients from the CPU's, by ``group/option``."""
    result: dict[str, Any] = {"tolerance": TOLERANCE, "parts": {}, "metrics": {}}
    torch.backends.cudnn.allow_tf32 = False  # as accelerator.matmul_precision=highest has it for products
    for group, option in options("model"):
        result["parts"][f"{group}/{option}"] = _guarded(bench, f"{group}/{option}", _part, group, option)
    if bench.on_gpu:
        torch.backends.cudnn.allow_tf32 = True
        result["convolutions_in_tf32"] = {
            f"{group}/{option}": _guarded(bench, None, _part, group, option)
            for group, option in options("model")
            if group in ("generator", "discriminator", "encoder", "decoder", "network")
        }
    for group, option in options("metric"):
        if group == "features":
            result["metrics"][f"{group}/{option}"] = _guarded(
                bench, f"{group}/{option}", metric_options.features, option
            )
        elif group == "samples":
            result["metrics"][f"{group}/{option}"] = _guarded(
                bench, f"{group}/{option}", metric_options.samples, option
            )
    return result


def options(section: str) -> Iterator[tuple[str, str]]:
    """Every (group, option) that conf has below ``section``; schedules are numbers, and on no device."""
    for path in sorted((packaged_conf() / section).glob("*/*.yaml")):
        if path.parent.name not in ("schedule", "schedules"):
            yield path.parent.name, path.stem


def _guarded(bench: Bench, name: str | None, work: Callable[..., dict[str, Any]], *arguments: str) -> Any:
    """One option's result; where it fails, the others go on."""
    began = time.monotonic()
    try:
        result = work(bench, *arguments)
    except Exception as error:
        result = {"error": f"{type(error).__name__}: {error}"}
        bench.failures.append(f"{name or '/'.join(arguments)}: {type(error).__name__}: {error}")
    worst = result.get("worst")
    if name is not None and worst is not None and not worst <= result["tolerance"]:
        bench.failures.append(f"{name}: {result['where']} deviates by {worst:.2g} from the CPU's")
    return result | {"seconds": round(time.monotonic() - began, 2)}


def _part(bench: Bench, group: str, option: str) -> dict[str, Any]:
    error: Exception | None = None
    for words, config in _recipes_with(bench, group, option):
        if group not in _DRIVERS:
            train(words, bench.folder / f"part-{group}-{option}", steps=2)
            return {"trained": words[0]}
        torch.manual_seed(0)
        part = _DRIVERS[group](config["model"])
        if part is None:
            return {"nothing": "the option is null"}
        inputs = _inputs(config)
        try:
            with torch.no_grad():
                # A first pass: what starts from data (codes) has started, by the CPU's random numbers.
                nn.Module.__call__(copy.deepcopy(part), inputs)
            break
        except ValueError as refused:  # a part of sounds or texts, shown images
            error = refused
    else:
        raise error or LookupError("no recipe takes it")
    if group == "quantizer":
        part(inputs)
    reference, found = _run(part, inputs, "cpu"), _run(part, inputs, bench.device)
    result = compared(reference, found, TOLERANCE) | {"recipe": words[0], "tensors": len(reference)}
    if not result["worst"] <= TOLERANCE:
        # A rectifier whose input is zero but for rounding changes whole gradients: are they so without it?
        exact = Inputs(*(value.double() if value.is_floating_point() else value for value in inputs))
        twice = _run(part.double(), exact, "cpu"), _run(part.double(), exact, bench.device)
        result |= {"in_float32": result["worst"], **compared(*twice, TOLERANCE_FLOAT64)}
    return result


def _recipes_with(bench: Bench, group: str, option: str) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """The words and the config of each recipe in which the option can be built; of one at least."""
    found = False
    names = sorted(path.stem for path in (packaged_conf() / "model").glob("*.yaml"))
    names.sort(key=lambda name: name not in FIRST)
    error: Exception | None = None
    for name in names:
        words = bench.words(name)
        keys = [key for key in _choices(tuple(words)) if key.partition("@")[0] == f"model/{group}"]
        if not keys and compose(words).config["model"].get(group):  # a list of options is no choice
            keys = [f"model/{group}"]
        if not keys:
            continue
        keys = [f"model/{group}"] if f"model/{group}" in keys else keys  # not the parts of a sum
        try:
            words = bench.words(name, *(f"{key}={option}" for key in keys))
            config = compose(words).config
            for key in ("discriminator", "encoder", group):  # neighbours that the drivers build
                if isinstance(config["model"].get(key), dict):
                    build(config["model"][key], f"model.{key}")
            if group not in _DRIVERS:  # it will be trained
                samples = torch.zeros(2, *config["data"]["sample_shape"])
                build(config["model"], "model").check_sample(samples)
        except Exception as refused:
            error = refused
            continue
        found = True
        yield words, config
    if not found:
        raise error or LookupError(f"no recipe has the group model/{group}")


@cache
def _choices(words: tuple[str, ...]) -> dict[str, str]:
    return compose(words).choices


def _inputs(config: dict[str, Any]) -> Inputs:
    generator = torch.Generator().manual_seed(1)
    shape = (BATCH, *config["data"]["sample_shape"])
    vocabulary = config["data"].get("vocabulary")
    if vocabulary is None:
        x, other, made = (torch.randn(shape, generator=generator).tanh() for _ in range(3))
    else:
        x, other = (torch.randint(vocabulary, shape, generator=generator) for _ in range(2))
        made = torch.randn(BATCH, vocabulary, *shape[1:], generator=generator)
    grid = torch.zeros(())
    if "encoder" in config["model"]:
        with torch.no_grad():
            like = build(config["model"]["encoder"], "model.encoder")(x)
        grid = torch.randn(like.shape, generator=generator)
    return Inputs(
        x=x,
        other=other,
        made=made,
        grid=grid,
        z=torch.randn(BATCH, config["model"].get("latent_dim") or 1, generator=generator),
        label=torch.arange(BATCH) % NUM_CLASSES,
        logits=torch.randn(BATCH, generator=generator),
        other_logits=torch.randn(BATCH, generator=generator),
    )


class _Driven(nn.Module):
    """A part and what it is called with: inputs to tensors by name."""

    def __init__(self, call: Callable[..., dict[str, Tensor]], **members: Any) -> None:
        super().__init__()
        for name, value in members.items():
            setattr(self, name, value)
        self.call = call

    def forward(self, inputs: Inputs) -> dict[str, Tensor]:
        return self.call(self, inputs)


def _called(group: str, call: Callable[..., Any]) -> Callable[[dict[str, Any]], _Driven | None]:
    """A driver: the recipe's node to the part with its call; None where the option is null."""

    def make(model: dict[str, Any]) -> _Driven | None:
        part = build(model[group], f"model.{group}")
        return None if part is None else _Driven(call, part=part)

    return make


def _head(model: dict[str, Any]) -> _Driven:
    part = build(model["head"], "model.head")(feature_dim=16, num_classes=NUM_CLASSES)
    return _Driven(_judged, part=part)


def _judged(driven: Any, inputs: Inputs) -> dict[str, Tensor]:
    features = inputs.x.flatten(1)[:, :16]
    made = {"logits": driven.part(features, inputs.label)}
    return made | ({"loss": driven.part.class_loss(features, inputs.label)} if driven.part.classifies else {})


def _quantizer(driven: Any, inputs: Inputs) -> dict[str, Tensor]:
    output = driven.part(inputs.grid)
    return {"quantized": output.quantized, "indices": output.indices, "loss": output.loss}


def _adversarial_loss(driven: Any, inputs: Inputs) -> dict[str, Tensor]:
    real, fake = inputs.logits, inputs.other_logits
    return {
        "discriminator": driven.part.discriminator(real_logits=real, fake_logits=fake),
        "generator": driven.part.generator(fake_logits=fake, real_logits=real),
    }


def _gradient_penalty(model: dict[str, Any]) -> _Driven | None:
    penalty = build(model["gradient_penalty"], "model.gradient_penalty")
    if penalty is None:
        return None
    node = dict(model["discriminator"])
    if "norm" in node:
        node["norm"] = "none"  # BatchNorm couples the samples of a batch
    return _Driven(_penalized, part=penalty, discriminator=build(node, "model.discriminator"))


def _penalized(driven: Any, inputs: Inputs) -> dict[str, Tensor]:
    penalty = driven.part(
        driven.discriminator,
        real=inputs.x,
        fake=inputs.other.detach(),
        draws=Draws(1, 0, device=inputs.x.device),
    )
    return {"penalty": penalty}


def _augmented(driven: Any, inputs: Inputs) -> dict[str, Tensor]:
    draws = Draws(1, 0, device=inputs.x.device)
    for _ in range(4):  # where it adapts, p rises to 1/2
        driven.part.observe(torch.ones((), device=inputs.x.device), 62_500)
    shown = driven.part(inputs.x, draws, "real")
    return {"shown": shown, "replaced": driven.part.replace(inputs.x, inputs.other, draws)}


def _ema(model: dict[str, Any]) -> _Driven | None:
    average = build(model["ema"], "model.ema")
    if average is None:
        return None
    network = build(model["generator"], "model.generator")
    average.track(network)
    return _Driven(_averaged, part=average, network=network)


@torch.no_grad()
def _averaged(driven: Any, inputs: Inputs) -> dict[str, Tensor]:
    for seen in (100, 200):
        for parameter in driven.network.parameters():
            parameter.add_(parameter.cos())
        driven.part.update(driven.network, 100, seen)
    return dict(driven.part.average.named_parameters())


def _optimizer(model: dict[str, Any]) -> _Driven | None:
    node = next(value for key, value in model.items() if key.endswith("optimizer"))
    # a large eps: at a gradient near 0 Adam's step is the sign of what is rounding
    make = build(node | ({"eps": 1e-2} if "eps" in node else {}), "model.optimizer")
    return _Driven(
        _descended, make=make, network=nn.Sequential(nn.Linear(16, 64), nn.Tanh(), nn.Linear(64, 1))
    )


def _descended(driven: Any, inputs: Inputs) -> dict[str, Tensor]:
    optimizer = driven.make(list(driven.network.parameters()))
    with torch.enable_grad():
        for _ in range(3):
            optimizer.zero_grad()
            driven.network(inputs.x.detach().flatten(1)[:, :16]).square().mean().backward()
            optimizer.step()
    optimizer.zero_grad()
    return {name: value.detach().clone() for name, value in driven.network.named_parameters()}


def _prior(config: dict[str, Any]) -> _Driven:
    made = build(config["prior"], "model.prior")
    layout = CodeLayout(((16, 8), (32,)), ((4, 4), (8, 8)))
    whole = torch.rand(BATCH, layout.length, generator=torch.Generator().manual_seed(2))
    codes = (whole * layout.element_sizes()).long()

    def call(driven: Any, inputs: Inputs) -> dict[str, Tensor]:
        own, label = codes.to(inputs.label.device), inputs.label
        nats = cross_entropy(driven.part(own, label).transpose(1, 2), own, reduction="none")  # [B, N]
        state, previous, found = driven.part.begin(BATCH, label), None, []
        for place in range(20):
            found.append(driven.part.following(state, previous).softmax(1))
            previous = own[:, place]
        return {"nats": nats, "one after another": torch.stack(found, dim=1)}

    return _Driven(call, part=made(layout=layout, num_classes=NUM_CLASSES).eval())


_DRIVERS: dict[str, Callable[[dict[str, Any]], _Driven | None]] = {
    "generator": _called("generator", lambda driven, i: {"x": driven.part(i.z, i.label)}),
    "discriminator": _called("discriminator", lambda driven, i: {"features": driven.part(i.x)}),
    "head": _head,
    "encoder": _called("encoder", lambda driven, i: {"z": driven.part(i.x)}),
    "decoder": _called("decoder", lambda driven, i: {"x": driven.part(i.grid)}),
    "network": _called("network", lambda driven, i: driven.part(i.x)._asdict()),
    "quantizer": _called("quantizer", _quantizer),
    "prior": _prior,
    "adversarial_loss": _called("adversarial_loss", _adversarial_loss),
    "reconstruction_loss": _called(
        "reconstruction_loss",
        lambda driven, i: {"loss": driven.part(reconstruction=i.made, target=i.other.detach())},
    ),
    "gradient_penalty": _gradient_penalty,
    "augment": _called("augment", _augmented),
    "ema": _ema,
    "optimizer": _optimizer,
}


def _run(part: nn.Module, inputs: Inputs, device: str) -> dict[str, Tensor]:
    """A copy's outputs and the gradients of a weighted sum of them, on the CPU."""
    part = copy.deepcopy(part).to(device)
    moved = Inputs(*(value.to(device).detach().clone() for value in inputs))
    floats = {name: value for name, value in moved._asdict().items() if value.is_floating_point()}
    for value in floats.values():
        value.requires_grad_(True)
    outputs = part(moved)
    differentiable = [
        value for value in outputs.values() if value.requires_grad and value.grad_fn is not None
    ]
    if differentiable:
        sum(_weighted(value) for value in differentiable).backward()  # type: ignore[union-attr]
    gradients = {f"d/d{name}": value.grad for name, value in [*floats.items(), *part.named_parameters()]}
    named = outputs | {name: value for name, value in gradients.items() if value is not None}
    return {name: value.detach().cpu() for name, value in named.items()}


def _weighted(value: Tensor) -> Tensor:
    weights = torch.arange(value.numel(), dtype=torch.float32).add(1).cos().reshape(value.shape)
    return (value * weights.to(value.device)).sum()
