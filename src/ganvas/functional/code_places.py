"""Where in a sample the codes of a layout lie."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ganvas.functional.code_layout import CodeLayout


def half(layout: CodeLayout, which: str) -> Tensor:
    """The codes bool [N] whose positions lie in a half of the image, of every map and level.

    A position whose centre lies on the border is in neither half: of 7 rows the upper half has 3.

    Args:
        which: ``upper``, ``lower``, ``left`` or ``right``.

    Raises:
        ValueError: a map of codes that is no grid, so that they have no place in the image.
    """
    found = []
    for sizes, at in zip(layout.sizes, layout.positions, strict=True):
        if len(at) != 2:
            raise ValueError(f"codes at positions {at}: a half of the image holds codes of a grid alone")
        along = at[0] if which in ("upper", "lower") else at[1]
        twice = 2 * torch.arange(along) + 1  # the centres, in halves of a position
        within = twice < along if which in ("upper", "left") else twice > along
        cells = within[:, None].expand(at) if which in ("upper", "lower") else within.expand(at)
        found.append(cells.flatten().repeat_interleave(len(sizes)))
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
