"""Points of the plane as an image: dots, and the paths that they go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ganvas.errors import require

GREY, BLUE = (190, 190, 190), (30, 90, 200)
_SIDE = 512  # pixels
_REACH = 1.25  # points are plotted from -1.25 to 1.25; data lie in [-1, 1]
_RADIUS = 1.5  # of a dot, pixels


class Layer(NamedTuple):
    """Dots of one colour, or of one each.

    Attributes:
        points: [N, 2], any float type and device; those that are not finite are left out.
        colours: one RGB triple for all, or uint8 [N, 3].
        radius: of a dot, pixels.
    """

    points: Tensor
    colours: tuple[int, int, int] | Tensor = BLUE
    radius: float = _RADIUS


def scatter(layers: Sequence[Layer], paths: Sequence[Layer] = ()) -> Tensor:
    """Layers from the lowest to the highest, uint8 [3, 512, 512]; ``paths`` are lines beneath them all.

    What lies outside [-1.25, 1.25] is drawn on the edge.
    """
    import numpy as np
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (_SIDE, _SIDE), "white")
    pen = ImageDraw.Draw(image)
    for path in paths:
        places, colours = _places(path)
        pen.line([(left, top) for left, top in places], fill=colours[0] if colours else GREY, width=3)
    for layer in layers:
        for (left, top), colour in zip(*_places(layer), strict=True):
            r = layer.radius
            pen.ellipse((left - r, top - r, left + r, top + r), fill=colour)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def require_points(x: Tensor, way_out: str) -> None:
    """Raises OptionError (``data``) unless the samples are points [N, 2]."""
    shape = list(x.shape[1:])
    require(shape == [2], "data", shape, f"only images [C, H, W] and points [2] can be drawn; {way_out}")


def _places(layer: Layer) -> tuple[Any, Any]:
    """Where the dots lie, (left, top) in pixels each, and their colours."""
    values = layer.points.detach().float().cpu()
    finite = values.isfinite().all(1)
    values = values[finite].clamp(-_REACH, _REACH)
    places = (values * torch.tensor([1.0, -1.0]) / _REACH + 1) * (_SIDE - 1) / 2  # y grows upward
    if isinstance(layer.colours, Tensor):
        return places.tolist(), [tuple(colour) for colour in layer.colours.cpu()[finite].tolist()]
    return places.tolist(), [layer.colours] * len(places)
