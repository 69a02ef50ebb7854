"""How a prior draws codes, as a user asks for it: ``--temperature``, ``--top-k``, ``--guidance`` ..."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ganvas.errors import OptionError, require

if TYPE_CHECKING:
    from ganvas.functional.next_code import Drawing

_OPTIONS = ("temperature", "top_k", "top_p", "guidance", "steps")


def add_drawing(parser: argparse.ArgumentParser) -> None:
    """Adds the options; without one the run's own way is taken."""
    parser.add_argument(
        "--temperature", type=float, help="of a prior: divides its logits; 0: the likeliest code"
    )
    parser.add_argument("--top-k", type=int, help="of a prior: the likeliest codes, so many, may be drawn")
    parser.add_argument(
        "--top-p", type=float, help="of a prior: the likeliest codes until their probabilities sum to it"
    )
    parser.add_argument(
        "--guidance", type=float, help="of a prior by class: s of u + s (c - u), logits by class and without"
    )
    parser.add_argument("--steps", type=int, help="of a masked prior: forward passes for a sample")


def drawing_of(arguments: argparse.Namespace, model: Any) -> Drawing | None:
    """What is asked for, the rest as the run has it; None where nothing is.

    Raises:
        OptionError: a number out of its range, or an option for a run that draws no codes.
    """
    from ganvas.model.interface import DrawsCodes

    if isinstance(model, DrawsCodes) and arguments.truncation is not None:
        reason = "is of latents, and a prior draws codes; --temperature 0.9 makes likelier samples"
        raise OptionError("--truncation", arguments.truncation, reason)
    asked = {name: getattr(arguments, name) for name in _OPTIONS if getattr(arguments, name) is not None}
    try:
        return chosen_drawing(model, asked)
    except OptionError as error:
        raise OptionError(_word(error.option), error.value, error.reason) from error


def chosen_drawing(model: Any, asked: Mapping[str, Any]) -> Drawing | None:
    """How a prior draws: as asked, the rest as the run has it; None where nothing is asked.

    Raises:
        OptionError: a number out of its range, no option of a drawing, or any for a run that draws no codes.
    """
    from ganvas.model.interface import DrawsCodes

    for name, value in asked.items():
        reason = "is of a prior over codes (model=autoregressive or masked); leave the option out"
        require(isinstance(model, DrawsCodes), name, value, reason)
        require(name in _OPTIONS, name, value, f"is no way of drawing; there are: {', '.join(_OPTIONS)}")
    if not asked:
        return None
    recipe: Any = model
    drawing: Drawing = dataclasses.replace(recipe.drawing, **asked)
    recipe.check_drawing(drawing)
    return drawing


def _word(option: str) -> str:
    return f"--{option.replace('_', '-')}"
