"""Points of the plane, and values of any other shape: float32 in [-1, 1], stored as they are."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import torch
from torch import Tensor

from ganvas.errors import OptionError
from ganvas.functional.colours import code_colours
from ganvas.modality.drawing.scatter import GREY, Layer, require_points, scatter
from ganvas.modality.interface import Modality

_WAY_OUT = "leave the preview out (~callback.preview), or let the data declare a modality"
_ARRAYS = "--out F.npz writes any samples"


class Values(Modality):
    """Samples float32 of any shape in [-1, 1], which nobody can draw."""

    name, plural = "sample", "samples"
    has_pictures = False
    reports = {"bits_per_sample": None}

    def wrong_with(self, stored: Tensor) -> str | None:
        if stored.dtype != torch.float32:
            return "must be uint8 images [N, C, H, W] or float32 samples [N, ...]"
        return None

    def to_model(self, stored: Tensor) -> Tensor:
        return stored

    def to_stored(self, x: Tensor) -> Tensor:
        return x

    def pictures(self, x: Tensor) -> Tensor:
        rule = "only images [C, H, W] and points [2] can be drawn"
        raise OptionError("data", list(x.shape[1:]), f"{rule}; {_ARRAYS}; {_WAY_OUT}")


class Points(Values):
    """Points float32 [B, 2], drawn as dots of one plot."""

    name, plural = "point", "points"
    reports = {"bits_per_point": None}
    together = True

    def pictures(self, x: Tensor) -> Tensor:
        return torch.stack([self.draw(one[None]) for one in x])

    def draw(
        self,
        x: Tensor,
        *,
        columns: int | None = None,
        background: Tensor | None = None,
        scale: int | None = None,
    ) -> Tensor:
        require_points(x, _WAY_OUT)
        return scatter([*([] if background is None else [Layer(background, GREY)]), Layer(x)])

    def draw_pairs(self, original: Tensor, reconstruction: Tensor, *, scale: int | None = None) -> Tensor:
        """Reconstructions over their originals."""
        return self.draw(reconstruction, background=original)

    def draw_codes(
        self,
        original: Tensor,
        reconstruction: Tensor,
        indices: Sequence[Tensor],
        codebook_sizes: Sequence[int],
        *,
        scale: int | None = None,
    ) -> Tensor:
        """Originals, each in the colour of its codes taken together."""
        require_points(original, _WAY_OUT)
        levels = [(one.cpu(), size) for one, size in zip(indices, codebook_sizes, strict=True)]
        return scatter([Layer(original, _colours_of_all(levels))])

    def draw_rows(self, x: Tensor, *, scale: int | None = None) -> Tensor:
        require_points(x.flatten(0, 1), _ARRAYS)
        ways = [Layer(points, _hue(row / len(x)), radius=4) for row, points in enumerate(x)]
        return scatter(ways, paths=ways)

    def draw_walk(self, x: Tensor, *, columns: int | None = None, scale: int | None = None) -> list[Tensor]:
        """Dots on their rounds."""
        require_points(x.flatten(0, 1), _ARRAYS)
        rounds = [Layer(way, GREY) for way in torch.cat([x, x[:1]]).unbind(1)]
        colours = torch.tensor([_hue(i / x.shape[1]) for i in range(x.shape[1])], dtype=torch.uint8)
        return [scatter([Layer(frame, colours, radius=5)], paths=rounds) for frame in x]


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
