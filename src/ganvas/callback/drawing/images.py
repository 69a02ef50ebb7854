"""Samples as an image for people: grids of images, or scatter plots of points."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ganvas.callback.drawing.scatter import GREY, Layer, require_points, scatter
from ganvas.errors import require
from ganvas.functional.colours import code_colours
from ganvas.functional.images import grid, to_uint8

_MAP_SIDE = 64  # least side of an image beside its code map, pixels
_MOST_MAPS = 8  # code maps beside an image
_BAR = 4  # width of the bar between samples and neighbours, pixels
_WAY_OUT = "leave the preview out (~callback.preview)"


def draw(
    x: Tensor, *, columns: int | None = None, background: Tensor | None = None, scale: int | None = None
) -> Tensor:
    """Samples [N, ...] in [-1, 1] as one image, uint8 [1 or 3, H, W] on the CPU.

    Args:
        columns: images in a row of the grid; about the square root of N by default.
        background: for points alone: others to compare with, [M, 2], drawn beneath in grey.
        scale: for images alone: see :func:`ganvas.functional.images.grid`.

    Raises:
        OptionError: samples that are neither images [C, H, W] nor points [2].
    """
    if x.ndim == 4:
        return grid(levels(x), columns or max(1, round(len(x) ** 0.5)), scale)
    require_points(x, _WAY_OUT)
    return scatter([*([] if background is None else [Layer(background, GREY)]), Layer(x)])


def draw_pairs(original: Tensor, reconstruction: Tensor, *, scale: int | None = None) -> Tensor:
    """Originals beside their reconstructions [N, ...], as one image, uint8 [1 or 3, H, W]."""
    if original.ndim == 2:
        return draw(reconstruction, background=original)
    pairs = torch.stack([original.cpu(), reconstruction.detach().cpu()], dim=1).flatten(
        0, 1
    )  # [2 N, C, H, W]
    return draw(pairs, columns=2 * max(1, round(len(original) ** 0.5)), scale=scale)


def draw_codes(
    original: Tensor,
    reconstruction: Tensor,
    indices: Sequence[Tensor],
    codebook_sizes: Sequence[int],
    *,
    scale: int | None = None,
) -> Tensor:
    """Originals, their reconstructions and their codes as colours, side by side: uint8 [3, H, W].

    A code's colour is :func:`ganvas.functional.colours.code_colours`. Codes on a grid of positions are drawn
    as a map of the image's size, other codes as one row of stripes; of several levels the first eight, side
    by side. Points are drawn once, each in the colour of its codes taken together.

    Args:
        original: [N, ...] in [-1, 1].
        reconstruction: likewise.
        indices: of each level int64 [N, *positions] in [0, its size).
        codebook_sizes: number of codes of each level.
        scale: of the images, as in a grid; at least what gives every code a pixel.

    Raises:
        OptionError: ``scale`` is less.
    """
    levels_of_codes = [(one.cpu(), size) for one, size in zip(indices, codebook_sizes, strict=True)]
    if original.ndim == 2:
        require_points(original, _WAY_OUT)
        return scatter([Layer(original, _colours_of_all(levels_of_codes))])
    maps = [_map_of(one, size) for one, size in levels_of_codes[:_MOST_MAPS]]
    height, width = original.shape[2:]
    # each code needs a pixel, and small images are enlarged as in every grid
    least = max(1, *(max(-(-one.shape[2] // height), -(-one.shape[3] // width)) for one in maps))
    factor = max(least, _MAP_SIDE // max(height, width)) if scale is None else scale
    require(factor >= least, "scale", scale, f"must be at least {least}, so that every code has a pixel")
    size = (height * factor, width * factor)
    images = [levels(side).expand(-1, 3, -1, -1) for side in (original, reconstruction)]
    tiles = torch.stack([interpolate(x.float(), size).to(torch.uint8) for x in (*images, *maps)], dim=1)
    columns = tiles.shape[1] * max(1, round((len(original) / (tiles.shape[1] - 1)) ** 0.5))
    return grid(tiles.flatten(0, 1), columns, None if scale is None else 1)


def draw_rows(x: Tensor, *, scale: int | None = None) -> Tensor:
    """Samples [R, S, ...] in [-1, 1], each row from one end to another: a grid, or a path for each row."""
    if x.ndim == 5:
        return draw(x.flatten(0, 1), columns=x.shape[1], scale=scale)
    require_points(x.flatten(0, 1), "ganvas interpolate --out F.npz writes any samples")
    ways = [Layer(points, _hue(row / len(x)), radius=4) for row, points in enumerate(x)]
    return scatter(ways, paths=ways)


def draw_walk(x: Tensor, *, columns: int | None = None, scale: int | None = None) -> list[Tensor]:
    """Frames of samples [F, N, ...] in [-1, 1] that go round: a grid each, or dots on their rounds."""
    if x.ndim == 5:
        return [draw(frame, columns=columns, scale=scale) for frame in x]
    require_points(x.flatten(0, 1), "ganvas sample --out F.npz writes any samples")
    rounds = [Layer(way, GREY) for way in torch.cat([x, x[:1]]).unbind(1)]
    colours = torch.tensor([_hue(i / x.shape[1]) for i in range(x.shape[1])], dtype=torch.uint8)
    return [scatter([Layer(frame, colours, radius=5)], paths=rounds) for frame in x]


def draw_neighbours(x: Tensor, neighbours: Tensor, *, scale: int | None = None) -> Tensor:
    """Images [N, C, H, W] in a column, and right of each its neighbours [N, k, C, H, W], all in [-1, 1].

    Returns:
        uint8 [1 or 3, H, W]; a white bar parts the two.
    """
    left = draw(x, columns=1, scale=scale)
    right = draw(neighbours.flatten(0, 1), columns=neighbours.shape[1], scale=scale)
    return torch.cat([left, left.new_full((*left.shape[:2], _BAR), 255), right], dim=2)


def veil(x: Tensor, shown: Tensor) -> Tensor:
    """Images [B, C, H, W] in [-1, 1] under grey, where ``shown`` [B, 1, H, W] is below 1 as much of it."""
    return x * shown  # the grey is 0, in the middle of the range


def levels(x: Tensor) -> Tensor:
    """Images [N, C, H, W] in [-1, 1] as uint8 with 1 or 3 channels, on the CPU."""
    x = x.detach().float().cpu()
    # no colours to show: a grey mean
    return to_uint8(x if x.shape[1] in (1, 3) else x.mean(1, keepdim=True))


def _map_of(indices: Tensor, size: int) -> Tensor:
    """One level's indices [N, *positions] as colours uint8 [N, 3, rows, columns]."""
    places = indices if indices.ndim == 3 else indices.reshape(len(indices), 1, -1)
    return code_colours(places, size).permute(0, 3, 1, 2)


def _colours_of_all(levels_of_codes: Sequence[tuple[Tensor, int]]) -> Tensor:
    """One colour for each sample's codes together: of each level indices [N, *positions]; uint8 [N, 3]."""
    together = torch.zeros(len(levels_of_codes[0][0]), dtype=torch.int64)
    count = 1
    for indices, size in levels_of_codes:
        for column in indices.flatten(1).unbind(1) if indices.ndim > 1 else (indices,):
            together = (together * (size % 2**24) + column) % 2**24
            count *= size
    colours = code_colours(together, min(count, 2**24))
    return (colours.float() * 0.8).to(torch.uint8)  # none is as white as the paper


def _hue(share: float) -> tuple[int, int, int]:
    """A full colour, not too bright for white paper; ``share`` of the way round the circle of hues."""
    red, green, blue = (round(255 * level) for level in colorsys.hsv_to_rgb(share, 0.9, 0.8))
    return red, green, blue
