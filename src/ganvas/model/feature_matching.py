"""Feature matching: reconstructions shall look like their originals at every layer of the discriminator.

Larsen 2016 (arXiv:1512.09300) at one layer; here as EnCodec has it (Defossez 2022, arXiv:2210.13438,
section 3.4, the loss l_feat), at all of them, each relative to how large it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ganvas.errors import require
from ganvas.functional.precision import at_least_float32
from ganvas.model.critic import Critic
from ganvas.model.freezing import layers_from_input

SMALLEST = 1e-5  # of a layer's mean, by which its distance is divided


@contextmanager
def captured(critic: Critic) -> Iterator[list[Tensor]]:
    """The list of what each layer makes [B, ...] in the forward passes of its body, in their order.

    Layers are those of :func:`ganvas.model.freezing.layers_from_input`, behind their normalization. What
    makes several maps, a list or tuple, gives each by itself.
    """
    found: list[Tensor] = []

    def keep(_module: Any, _arguments: Any, made: Any) -> None:
        found.extend(one for one in (made if isinstance(made, list | tuple) else (made,)))

    hooks = [group[-1].register_forward_hook(keep) for group in layers_from_input(critic.network)]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def feature_distance(*, real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Mean over layers and samples of mean |real - fake| / mean |real|, a scalar with fake's gradient.

    Both means are a sample's own: no sample's share depends on which others are in its batch, and a batch in
    parts or on several ranks has the mean of the parts. (The paper divides by a mean over the batch.)

    Args:
        real: features [B, ...] of each layer, for originals; they get no gradient.
        fake: likewise, for their reconstructions.

    Raises:
        ValueError: another number of layers for the one than for the other, or none.
    """
    if not real or len(real) != len(fake):
        raise ValueError(
            f"{len(real)} layers of real and {len(fake)} of fake: must be as many, and one or more"
        )
    terms = []
    for wanted, made in zip(real, fake, strict=True):
        wanted, made = at_least_float32(wanted.detach()).flatten(1), at_least_float32(made).flatten(1)  # noqa: PLW2901
        terms.append(((made - wanted).abs().mean(1) / wanted.abs().mean(1).clamp(min=SMALLEST)).mean())
    return torch.stack(terms).mean()


def check_layers(critic: Critic, x: Tensor) -> None:
    """Raises OptionError where no layer's values can be had of samples ``x`` [B, ...]."""
    with captured(critic) as found:
        critic(x)
    rule = "hands out no layers (layers_from_input) that its forward pass calls; model.feature_matching=0"
    there = bool(found) and all(isinstance(one, Tensor) and len(one) == len(x) for one in found)
    require(there, "discriminator", type(critic.network).__name__, rule)
