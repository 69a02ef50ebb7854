"""What quantizers made of quantizers share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ganvas.errors import OptionError, is_whole, require
from ganvas.model.quantizer.interface import Quantizer
from ganvas.model.quantizer.vectorwise import RowsOutput, VectorwiseQuantizer


def inner_quantizer(make: Callable[[], VectorwiseQuantizer]) -> VectorwiseQuantizer:
    """One inner quantizer; what it refuses is named below ``inner``.

    Raises:
        OptionError: an option of its own, or it is none that looks at each vector by itself.
    """
    try:
        made = make()
    except OptionError as error:
        raise error.under("inner") from error
    kind = type(made).__name__
    reason = "must make a quantizer that looks at each vector by itself (a VectorwiseQuantizer), e.g. vq_ema"
    require(isinstance(made, VectorwiseQuantizer), "inner", kind, reason)
    for one in made.modules():
        if isinstance(one, Quantizer):
            one.place = f"inner.{one.place}"
    return made


def refuse_untaken(inner: nn.Module, reason: str, **taken: tuple[object, ...]) -> None:
    """Raises OptionError where an option of an inner quantizer would change nothing.

    Args:
        inner: with all that it holds itself.
        reason: why, up to the semicolon.
        taken: by an option's name the values that are taken, the usual one first.
    """
    for one in inner.modules():
        for option, values in taken.items():
            given = getattr(one, option, values[0])
            place = f"{getattr(one, 'place', '')}{option}"
            require(given in values, place, given, f"{reason}; leave it at {values[0]}")


def check_length(given: int | None, own: int, says: str) -> None:
    """Raises OptionError where ``embedding_dim`` is given and is not what the inner quantizers make it."""
    fits = given is None or (is_whole(given) and given == own)
    require(fits, "embedding_dim", given, f"must be {own}, {says}; the YAML computes it")


def mean_losses(found: Sequence[RowsOutput]) -> dict[str, Tensor]:
    """The mean of every inner loss, by its name."""
    return {name: torch.stack([one.losses[name] for one in found]).mean() for name in found[0].losses}
