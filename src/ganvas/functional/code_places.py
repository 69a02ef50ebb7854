"""Where in a sample the codes of a layout lie."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ganvas.functional.code_layout import CodeLayout

HALVES = ("upper", "lower", "left", "right")  # of what lies on a grid
ENDS = ("first", "second")  # halves of what runs on


def half(layout: CodeLayout, which: str) -> Tensor:
    """The codes bool [N] whose positions lie in a half of the sample, of every map and level.

    A position whose centre lies on the border is in neither half: of 7 rows the upper half has 3.

    Args:
        which: ``upper``, ``lower``, ``left`` or ``right`` of codes on a grid, ``first`` or ``second`` of
            codes along a length.

    Raises:
        ValueError: a map of codes without such a half: they have no place in the sample, or another one.
    """
    found = []
    for sizes, at in zip(layout.sizes, layout.positions, strict=True):
        sides, what = (1, "a row") if which in ENDS else (2, "a grid")
        if len(at) != sides:
            raise ValueError(f"codes at positions {at}: the {which} half holds codes of {what} alone")
        along = at[1] if which in ("left", "right") else at[0]
        twice = 2 * torch.arange(along) + 1  # the centres, in halves of a position
        within = twice < along if which in ("upper", "left", "first") else twice > along
        cells = within[:, None].expand(at) if which in ("upper", "lower") else within.expand(at)
        found.append(cells.flatten().repeat_interleave(len(sizes)))
    return torch.cat(found)


def beginning(layout: CodeLayout, length: int, whole: int) -> Tensor:
    """The codes bool [N] that the first ``length`` of ``whole`` places fill, of every map and level.

    Raises:
        ValueError: a map of codes that do not lie along a length.
    """
    found = []
    for sizes, at in zip(layout.sizes, layout.positions, strict=True):
        if len(at) != 1:
            raise ValueError(f"codes at positions {at}: a beginning holds codes of a row alone")
        own = torch.arange(at[0]) < at[0] * length // whole
        found.append(own.repeat_interleave(len(sizes)))
    return torch.cat(found)


def share_known(layout: CodeLayout, known: Tensor, *sides: int) -> Tensor:
    """Which share of the codes of a place are known, float32 [B, 1, *sides] in [0, 1].

    The mean over levels and maps. Maps of as many sides as the places lie upon them: grids on the height and
    width of an image, rows on the length of a sound or text. Codes of others have no place, and count for
    every one.

    Args:
        known: bool [B, N].
        sides: of the places: height and width, or a length.
    """
    total, count = torch.zeros(len(known), 1, *sides, device=known.device), 0
    parts = layout.unflatten(known.to(torch.int64))
    for part in (parts,) if isinstance(parts, Tensor) else parts:  # [B, levels, *positions]
        levels = part.shape[1]
        if part.ndim == 2 + len(sides):
            of_place = interpolate(part.float().mean(1, keepdim=True), sides, mode="nearest")
        else:
            of_place = part.float().flatten(1).mean(1).view(-1, 1, *[1] * len(sides))
        total, count = total + levels * of_place, count + levels
    return total / count
