"""Pictures side by side: grids, pairs, codes as colours, neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ganvas.errors import require
from ganvas.functional.colours import code_colours
from ganvas.functional.images import grid

_MAP_SIDE = 64  # least side of a picture beside its code map, pixels
_MOST_MAPS = 8  # code maps beside a picture
_BAR = 4  # width of the bar between samples and neighbours, pixels


def draw(pictures: Tensor, *, columns: int | None = None, scale: int | None = None) -> Tensor:
    """Pictures uint8 [N, 1 or 3, H, W] as a grid, uint8 [1 or 3, H', W'].

    Args:
        columns: pictures in a row; about the square root of N by default.
        scale: see :func:`ganvas.functional.images.grid`.
    """
    return grid(pictures, columns or max(1, round(len(pictures) ** 0.5)), scale)


def draw_pairs(original: Tensor, reconstruction: Tensor, *, scale: int | None = None) -> Tensor:
    """Each picture of an original left of its reconstruction's, as one image, uint8 [1 or 3, H', W']."""
    pairs = torch.stack([original, reconstruction], dim=1).flatten(0, 1)  # [2 N, C, H, W]
    return draw(pairs, columns=2 * max(1, round(len(original) ** 0.5)), scale=scale)


def draw_codes(
    original: Tensor,
    reconstruction: Tensor,
    indices: Sequence[Tensor],
    codebook_sizes: Sequence[int],
    *,
    scale: int | None = None,
) -> Tensor:
    """Pictures of originals, of their reconstructions, and their codes as colours, side by side.

    A code's colour is :func:`ganvas.functional.colours.code_colours`. Codes on a grid of positions are drawn
    as a map of the picture's size, other codes as one row of stripes; of several levels the first eight, side
    by side.

    Args:
        original: uint8 [N, 1 or 3, H, W].
        reconstruction: likewise.
        indices: of each level int64 [N, *positions] in [0, its size).
        codebook_sizes: number of codes of each level.
        scale: of the pictures, as in a grid; at least what gives every code a pixel.

    Returns:
        uint8 [3, H', W'].

    Raises:
        OptionError: ``scale`` is less.
    """
    levels_of_codes = [(one.cpu(), size) for one, size in zip(indices, codebook_sizes, strict=True)]
    maps = [_map_of(one, size) for one, size in levels_of_codes[:_MOST_MAPS]]
    height, width = original.shape[2:]
    # each code needs a pixel, and small pictures are enlarged as in every grid
    least = max(1, *(max(-(-one.shape[2] // height), -(-one.shape[3] // width)) for one in maps))
    factor = max(least, _MAP_SIDE // max(height, width)) if scale is None else scale
    require(factor >= least, "scale", scale, f"must be at least {least}, so that every code has a pixel")
    size = (height * factor, width * factor)
    pictures = [side.expand(-1, 3, -1, -1) for side in (original, reconstruction)]
    tiles = torch.stack([interpolate(x.float(), size).to(torch.uint8) for x in (*pictures, *maps)], dim=1)
    columns = tiles.shape[1] * max(1, round((len(original) / (tiles.shape[1] - 1)) ** 0.5))
    return grid(tiles.flatten(0, 1), columns, None if scale is None else 1)


def draw_neighbours(pictures: Tensor, neighbours: Tensor, *, scale: int | None = None) -> Tensor:
    """Pictures uint8 [N, C, H, W] in a column, and right of each its neighbours [N, k, C, H, W].

    Returns:
        uint8 [1 or 3, H', W']; a white bar parts the two.
    """
    left = draw(pictures, columns=1, scale=scale)
    right = draw(neighbours.flatten(0, 1), columns=neighbours.shape[1], scale=scale)
    return torch.cat([left, left.new_full((*left.shape[:2], _BAR), 255), right], dim=2)


def smaller(pictures: Tensor, side: int) -> Tensor:
    """Pictures uint8 [N, C, H, W] with no side above ``side`` pixels: means over areas."""
    largest = max(pictures.shape[2:])
    if largest <= side:
        return pictures
    size = [max(1, round(length * side / largest)) for length in pictures.shape[2:]]
    return interpolate(pictures.float(), size, mode="area").round().to(torch.uint8)


def _map_of(indices: Tensor, size: int) -> Tensor:
    """One level's indices [N, *positions] as colours uint8 [N, 3, rows, columns]."""
    places = indices if indices.ndim == 3 else indices.reshape(len(indices), 1, -1)
    return code_colours(places, size).permute(0, 3, 1, 2)
