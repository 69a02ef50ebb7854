"""Samples as a picture for people: a grid of pictures, or a scatter plot of points, and its PNG file."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import Tensor

from ganvas.errors import require
from ganvas.functional.images import grid, to_uint8

_SIDE = 512  # pixels of a scatter plot
_REACH = 1.25  # points are plotted from -1.25 to 1.25; data lie in [-1, 1]


def draw(x: Tensor, *, columns: int | None = None, background: Tensor | None = None) -> Tensor:
    """Samples [N, ...] in [-1, 1] as one picture, uint8 [1 or 3, H, W] on the CPU.

    Args:
        columns: pictures in a row of the grid; about the square root of N by default.
        background: for points alone: others to compare with, [M, 2], drawn beneath in grey.

    Raises:
        OptionError: samples that are neither pictures [C, H, W] nor points [2].
    """
    x = x.detach().float().cpu()
    if x.ndim == 4:
        channels = x.shape[1]
        x = x if channels in (1, 3) else x.mean(1, keepdim=True)  # no colours to show: a grey mean
        return grid(to_uint8(x), columns or max(1, round(len(x) ** 0.5)))
    require(
        x.ndim == 2 and x.shape[1] == 2,
        "data",
        list(x.shape[1:]),
        "only pictures [C, H, W] and points [2] can be drawn; leave the preview out (~callback.preview)",
    )
    return _scatter(x, background)


def draw_pairs(original: Tensor, reconstruction: Tensor) -> Tensor:
    """Originals beside their reconstructions [N, ...], as one picture, uint8 [1 or 3, H, W]."""
    if original.ndim == 2:
        return draw(reconstruction, background=original)
    pairs = torch.stack([original.cpu(), reconstruction.detach().cpu()], dim=1).flatten(
        0, 1
    )  # [2 N, C, H, W]
    return draw(pairs, columns=2 * max(1, round(len(original) ** 0.5)))


def save_png(path: str | Path, picture: Tensor) -> None:
    """Writes a picture, uint8 [1 or 3, H, W]; the file is either whole or not there."""
    from PIL import Image

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = picture.permute(1, 2, 0).contiguous().numpy()  # [H, W, C]
    part = path.with_name(f".{path.name}.part")
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(part, format="PNG")
    os.replace(part, path)


def _scatter(points: Tensor, background: Tensor | None) -> Tensor:
    import numpy as np
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (_SIDE, _SIDE), "white")
    pen = ImageDraw.Draw(image)
    layers = [] if background is None else [(background.detach().float().cpu(), (190, 190, 190))]
    for values, colour in [*layers, (points, (30, 90, 200))]:
        values = values[values.isfinite().all(1)].clamp(-_REACH, _REACH)  # what lies outside, on the edge
        places = (values * torch.tensor([1.0, -1.0]) / _REACH + 1) * (_SIDE - 1) / 2  # y grows upward
        for left, top in places.tolist():
            pen.ellipse((left - 1.5, top - 1.5, left + 1.5, top + 1.5), fill=colour)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)
