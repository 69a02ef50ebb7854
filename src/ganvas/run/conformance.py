"""The quantizers of a model, asked whether they keep what their interface promises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ganvas.errors import OptionError
from ganvas.model.quantizer.conformance.subject import ANY_POSITIONS, Subject
from ganvas.model.quantizer.conformance.suite import CHECKS, Report, ask
from ganvas.model.quantizer.interface import Quantizer
from ganvas.model.quantizer.vectorwise import VectorwiseQuantizer
from ganvas.run.config.build import build
from ganvas.run.parts import Parts

_FEWEST, _MOST_CODES = 8, 2**14  # samples of a batch; codes for each of which it has a vector


def ask_quantizers(parts: Parts, *, thorough: bool = False) -> dict[str, Report]:
    """Every quantizer of the model that no other one holds, by its place, e.g. ``model.quantizer``.

    It is made anew of its own config node, and given latents of the shape that the model gives it. A batch
    has as many samples as a first batch needs for all codes, as long as the run's batches have them.

    Args:
        thorough: also what takes long: programs that are compiled and exported, and two processes.
    """
    model = parts.model
    shapes = _shapes(parts)
    checks = [check for check in CHECKS if thorough or not check.is_slow]
    reports = {}
    for name, shape in shapes.items():
        quantizer = model.get_submodule(name)
        assert isinstance(quantizer, Quantizer)
        own = tuple(shape[2:])
        codes = min(_MOST_CODES, max(quantizer.codebook_sizes))
        wanted = -(-codes // max(1, torch.Size(own).numel()))
        batch = max(_FEWEST, min(wanted, parts.data.batch_size))
        # one that looks at each vector by itself takes them wherever they stand
        more = (
            [one for one in ANY_POSITIONS if one != own] if isinstance(quantizer, VectorwiseQuantizer) else []
        )
        subject = Subject(_maker(parts.config["model"], name), positions=[own, *more], batch=batch)
        reports[f"model.{name}"] = ask(subject, checks)
    return reports


def faults_error(parts: Parts, place: str, report: Report) -> OptionError:
    """What the command ends with where there are faults, each of which has been said."""
    many, asked = len(report.faults), len(report.asked)
    promises = "a promise" if many == 1 else f"{many} promises"
    reason = (
        f"breaks {promises} of a quantizer's interface, of {asked} that were looked at; see the lines above"
    )
    name = place.removeprefix("model.")
    if (node := _node(parts.config["model"], name)) is not None:
        return OptionError(f"{place}._target_", node["_target_"], reason)
    return OptionError(place, type(parts.model.get_submodule(name)).__name__, reason)


def _shapes(parts: Parts) -> dict[str, torch.Size]:
    """The shape of what each outermost quantizer is given, by its name in the model."""
    model = parts.model
    seen: dict[str, torch.Size] = {}
    names = [name for name, module in model.named_modules() if isinstance(module, Quantizer)]
    outermost = [name for name in names if not any(name.startswith(f"{other}.") for other in names)]

    def note(name: str) -> Callable[..., None]:
        def hook(_module: Any, inputs: tuple[Any, ...]) -> None:
            seen.setdefault(name, inputs[0].shape)

        return hook

    hooks = [model.get_submodule(name).register_forward_pre_hook(note(name)) for name in outermost]
    if hooks:
        model.check_sample(next(iter(parts.data.batches("train", 2, limit=2))).x)
    for one in hooks:
        one.remove()
    return seen


def _maker(config: dict[str, Any], name: str) -> Callable[[], Quantizer]:
    """Makes the model's quantizer anew, with other codes: of its node, or else with the whole model."""
    node = _node(config, name)

    def make() -> Quantizer:
        if node is not None:
            made = build(node, f"model.{name}")
        else:
            made = build(config, "model").get_submodule(name)
        assert isinstance(made, Quantizer)
        return made

    return make


def _node(config: dict[str, Any], name: str) -> dict[str, Any] | None:
    node: Any = config
    for key in name.split("."):
        node = node.get(key) if isinstance(node, dict) else None
    return node if isinstance(node, dict) and node.get("_target_") and not node.get("_partial_") else None
