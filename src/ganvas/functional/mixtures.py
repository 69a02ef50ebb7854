"""Mixtures of Gaussians in the plane, whose modes can be counted.

The grid of 25 and the ring of 8 are those of VEEGAN (Srivastava 2017, arXiv:1705.07761), scaled into [-1, 1].
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

SCALE = {"gaussians25": 5.0, "ring8": 2.5}  # the papers' units in one of ours


def centres(shape: str) -> Tensor:
    """Centres of the modes, float32 [M, 2] in [-1, 1]; mode i of the data is row i.

    Args:
        shape: ``gaussians25``, a 5x5 grid with spacing 2, or ``ring8``, a circle of radius 2, before scaling.
    """
    if shape == "ring8":
        angle = torch.arange(8) * (2 * math.pi / 8)
        return 2 * torch.stack([angle.cos(), angle.sin()], dim=1) / SCALE[shape]
    axis = torch.arange(-4.0, 5.0, 2.0)
    return torch.cartesian_prod(axis, axis) / SCALE[shape]


class Capture(NamedTuple):
    """How points reach the modes of a mixture.

    Attributes:
        captured: bool [M], whether at least one point lies within three deviations of the mode.
        share: of the points that do so, in [0, 1].
    """

    captured: Tensor
    share: float


def capture(points: Tensor, modes: Tensor, std: float, deviations: float = 3.0) -> Capture:
    """Each point [2] of N belongs to its nearest mode, as the metric ``modes_covered`` counts it.

    Args:
        points: [N, 2], N at least 1; those that are not finite are of no mode.
        modes: centres [M, 2].
        std: deviation of a mode.
        deviations: how far from its mode a point is still of it.
    """
    distances = torch.cdist(points.double(), modes.double()).nan_to_num(math.inf, posinf=math.inf)
    nearest, mode = distances.min(1)
    good = nearest <= deviations * std
    return Capture(torch.bincount(mode[good], minlength=len(modes)) > 0, float(good.double().mean()))
