"""``--label``: classes that a user asks a conditional generator for, by number or by name."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ganvas.errors import OptionError, require

if TYPE_CHECKING:
    from torch import Tensor


def add_label(parser: argparse.ArgumentParser, what: str = "samples") -> None:
    """Adds the option; ``what`` is that of which each has one class: what ``--num`` counts."""
    parser.add_argument(
        "--label",
        metavar="CLASS[,CLASS...]",
        help=f"classes to make, by number, or by name where the data have names; the {what} are shared out "
        "over them in this order (any class, at random, without)",
    )


def labels_of(arguments: argparse.Namespace, model: Any, data: Any, what: str) -> Tensor | None:
    """The classes int64 [num] on the model's device: asked for, or drawn by the seed; None without classes.

    Raises:
        OptionError: as :func:`labels_asked_for`.
    """
    asked = labels_asked_for(arguments.label, arguments.num, model, data, what)
    if asked is None:
        drawn: Tensor | None = model.sample_labels(arguments.num, arguments.seed)
        return drawn
    return asked.to(model.device)


def labels_asked_for(
    text: str | None, num: int, model: Any, data: Any, what: str = "samples"
) -> Tensor | None:
    """The classes int64 [num] of so many samples; None where nothing is asked for.

    Raises:
        OptionError: ``--label``: the model has no classes, or there is no such class.
    """
    if text is None:
        return None
    import torch

    from ganvas.functional.memory import require_memory

    classes = getattr(model, "num_classes", None)
    if classes is None:
        raise OptionError("--label", text, "the run's model has no classes; leave the option out")
    numbers = [_number(word.strip(), text, int(classes), data) for word in text.split(",")]
    rule = f"names {len(numbers)} classes for {num} {what}; ask for more (--num {len(numbers)})"
    require(len(numbers) <= num, "--label", text, rule)
    require_memory("--num", num, 24 * num, f"{num:,} classes")
    return torch.tensor(numbers)[torch.arange(num) * len(numbers) // num]


def _number(word: str, text: str, classes: int, data: Any) -> int:
    is_number = word.isascii() and word.isdigit()
    names = _names(data, is_number)
    if word in names:
        return names.index(word)
    if is_number and int(word) < classes:
        return int(word)
    there = f"must be from 0 to {classes - 1}"
    if names:
        some = ", ".join(names[:12]) + (" ..." if len(names) > 12 else "")
        there += f", or a name: {some}"
    elif not is_number:
        there += "; these data name no classes"
    raise OptionError("--label", text, there)


def _names(data: Any, is_number: bool) -> list[str]:
    """The classes' names; data that learn them from their files are read only where a name is asked for."""
    if data.class_names is None and not is_number:
        try:
            data.num_samples("train")
        except OptionError as error:
            raise error.under("data") from error
    return list(data.class_names or ())
