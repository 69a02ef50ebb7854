"""What ADA's pipeline does to a batch, and its named sets (Karras 2020, arXiv:2006.06676, appendix B)."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from ganvas.errors import require
from ganvas.functional.random import Draws
from ganvas.model.augment.colour import Colour
from ganvas.model.augment.geometry import Blit, Warp
from ganvas.model.augment.image_filter import BANDS, amplify

BLIT = ("flip", "rotate90", "integer_shift")
WARP = ("scale", "rotate", "anisotropic", "fractional_shift")
COLOUR = ("brightness", "contrast", "luma_flip", "hue", "saturation")
TRANSFORMS = (*BLIT, *WARP, *COLOUR, "filter", "noise", "cutout")  # in the order in which they are applied
ROTATE, FILTER = TRANSFORMS.index("rotate"), TRANSFORMS.index("filter")

_SHIFT = 1 / 8  # largest integer shift, and the deviation of the fractional one: share of the side
_SCALE = 0.2  # deviation of log2 of the scale, and of the anisotropic one
_BRIGHTNESS = 0.2  # deviation; images are in [-1, 1]
_CONTRAST = 0.5  # deviation of log2 of it
_SATURATION = 1.0  # likewise
_GAIN = 1.0  # deviation of log2 of a band's gain
_NOISE = 0.1  # the noise's deviation is |N(0, 1)| times this
_CUTOUT = 1 / 2  # side of the rectangle that is cut out, share of the image's


def _all(names: Iterable[str], multiplier: float = 1.0) -> dict[str, float]:
    return dict.fromkeys(names, multiplier)


# Multipliers of p by set. The letters are the paper's (b blitting, g geometry, c colour, f filter, n noise, a
# second c cutout); r3gan is that of Huang 2024 (arXiv:2501.05441, official code).
SETS: dict[str, dict[str, float]] = {
    "b": _all(BLIT),
    "bg": _all(BLIT + WARP),
    "bgc": _all(BLIT + WARP + COLOUR),
    "bgcf": _all((*BLIT, *WARP, *COLOUR, "filter")),
    "bgcfn": _all((*BLIT, *WARP, *COLOUR, "filter", "noise")),
    "bgcfnc": _all(TRANSFORMS),
    "r3gan": _all((*BLIT, *WARP, "cutout")) | _all(COLOUR, 0.5),
}


def multipliers_of(name: str, own: Mapping[str, float | None]) -> dict[str, float]:
    """The multiplier of p of every transformation: the set's, where ``own`` has None or nothing.

    Raises:
        OptionError: an unknown set or transformation, a multiplier outside [0, 1], or nothing but zeros.
    """
    require(name in SETS, "pipeline", name, f"must be one of {', '.join(SETS)}")
    whole = _all(TRANSFORMS, 0.0) | SETS[name]
    for key, value in own.items():
        rule = f"is no transformation; there are {', '.join(TRANSFORMS)}"
        require(key in TRANSFORMS, f"multipliers.{key}", value, rule)
        if value is not None:
            require(0 <= value <= 1, f"multipliers.{key}", value, "must be in [0, 1], a share of p")
            whole[key] = value
    rule = "no transformation is left by the multipliers; model/augment=none switches it off"
    require(any(whole.values()), "pipeline", name, rule)
    return whole


@lru_cache(maxsize=16)  # so that a step copies nothing to its device
def on_device(multipliers: tuple[float, ...], device: torch.device) -> Tensor:
    """Numbers as a float32 tensor; no buffer, for those of ranks are made their mean."""
    with torch.inference_mode(False):
        return torch.tensor(multipliers, dtype=torch.float32, device=device)


def transform(x: Tensor, chances: Tensor, active: Container[str], draws: Draws, purpose: str) -> Tensor:
    """Each sample changed by each transformation with its chance, whatever happens to the others.

    Args:
        x: images [B, C, H, W] of at least 2 pixels a side; C is 1 or 3 where a colour is active.
        chances: float32 [15], by the order of :data:`TRANSFORMS`.
        active: names of those whose chance may not be zero; the chances of others are zero.
        draws: this step's randomness.
        purpose: names the draws.
    """
    count = len(TRANSFORMS)
    first = count + BANDS  # gates: a second turn and three more bands have their own
    uniform = draws.uniform(f"{purpose}/uniform", len(x), first + 10)
    gates = uniform[:, :count] < chances
    bands = uniform[:, count + 1 : first] < chances[FILTER]
    on = _Drawn(
        gate=dict(zip(TRANSFORMS, gates.unbind(1), strict=True)),
        turns=_turns(uniform[:, ROTATE], uniform[:, count], chances[ROTATE]),
        bands=torch.cat([gates[:, FILTER : FILTER + 1], bands], dim=1),
        u=uniform[:, first:].to(x.dtype),
        n=draws.normal(f"{purpose}/normal", len(x), 8 + BANDS).to(x.dtype),
    )
    for group, change in ((BLIT, _blit), (WARP, _warp), (COLOUR, _colour), (("filter",), _filter)):
        if any(name in active for name in group):
            x = change(x, on)
    if "noise" in active:
        strength = on.gate["noise"] * on.n[:, 7].abs() * _NOISE  # [B]
        noise = draws.normal(f"{purpose}/noise", *x.shape).to(x.dtype)
        x = x + strength[:, None, None, None] * noise
    return _cutout(x, on) if "cutout" in active else x


class _Drawn(NamedTuple):
    """What was drawn for B samples."""

    gate: dict[str, Tensor]  # bool [B] each, by the name of the transformation
    turns: Tensor  # bool [B, 2], of the turn before the anisotropic scale, and of that after it
    bands: Tensor  # bool [B, 4], of the filter's bands
    u: Tensor  # [B, 10], uniform
    n: Tensor  # [B, 12], normal


def _turns(first: Tensor, second: Tensor, chance: Tensor) -> Tensor:
    """Uniform draws [B] to bool [B, 2]: each with 1 - sqrt(1 - chance), so that at least one with chance."""
    return (1 - torch.stack([first, second], dim=1)).square() > 1 - chance


def _blit(x: Tensor, on: _Drawn) -> Tensor:
    furthest = [x.shape[3] * _SHIFT, x.shape[2] * _SHIFT]  # pixels (x, y)
    shift = torch.stack([(2 * on.u[:, 2 + i] - 1) * furthest[i] for i in (0, 1)], dim=1).round().long()
    return Blit(
        flip=on.gate["flip"] & (on.u[:, 0] < 0.5),
        quarter_turns=on.gate["rotate90"] * (4 * on.u[:, 1]).long(),
        shift=on.gate["integer_shift"][:, None] * shift,
    )(x)


def _warp(x: Tensor, on: _Drawn) -> Tensor:
    turns = on.turns * (2 * on.u[:, 4:6] - 1) * math.pi  # [B, 2]
    slide = torch.stack([on.n[:, 2 + i] * _SHIFT * x.shape[3 - i] for i in (0, 1)], dim=1)  # [B, 2], (x, y)
    return Warp(
        scale=torch.exp2(on.gate["scale"] * on.n[:, 0] * _SCALE),
        turn=turns[:, 0],
        stretch=torch.exp2(on.gate["anisotropic"] * on.n[:, 1] * _SCALE),
        second_turn=turns[:, 1],
        slide=on.gate["fractional_shift"][:, None] * slide,
    )(x)


def _colour(x: Tensor, on: _Drawn) -> Tensor:
    return Colour(
        brightness=on.gate["brightness"] * on.n[:, 4] * _BRIGHTNESS,
        contrast=torch.exp2(on.gate["contrast"] * on.n[:, 5] * _CONTRAST),
        luma_flip=1 - 2.0 * (on.gate["luma_flip"] & (on.u[:, 6] < 0.5)),
        hue=on.gate["hue"] * (2 * on.u[:, 7] - 1) * math.pi,
        saturation=torch.exp2(on.gate["saturation"] * on.n[:, 6] * _SATURATION),
    )(x)


def _filter(x: Tensor, on: _Drawn) -> Tensor:
    gain = torch.exp2(on.bands * on.n[:, 8:] * _GAIN)  # [B, 4]
    eye = torch.eye(BANDS, dtype=x.dtype, device=x.device)
    return amplify(x, 1 + eye * (gain[:, :, None] - 1))  # [B, 4, 4]: change i is to band i


def _cutout(x: Tensor, on: _Drawn) -> Tensor:
    """A rectangle of half the sides is set to zero; its centre is anywhere in the image."""
    cut = []
    for size, centre in ((x.shape[2], on.u[:, 9]), (x.shape[3], on.u[:, 8])):
        place = (torch.arange(size, device=x.device) + 0.5) / size
        cut.append((place - centre[:, None]).abs() < _CUTOUT / 2)  # [B, size]
    rows, columns = cut
    hole = on.gate["cutout"][:, None, None] & rows[:, :, None] & columns[:, None, :]
    return x * ~hole[:, None]
