"""A colour for every code."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ganvas.functional.precision import widened

_GOLDEN = 0.6180339887498949  # steps by this share of a circle stay apart (three-distance theorem)
_MOST = 2**24  # colours that 3 x 8 bits can tell apart


def code_colours(indices: Tensor, num_codes: int) -> Tensor:
    """Indices to colours, a fixed map for each ``num_codes``: no two codes are alike up to 2^24.

    The colours are the points of an n x n x n grid in the RGB cube, n = ceil(num_codes^(1/3)), so that any
    two differ by at least floor(255 / (n - 1)) levels in some channel. Index i takes grid point i * g mod n^3
    with g near the golden share of n^3 and coprime to it: neighbours in number are far apart in red.

    Args:
        indices: int64, any shape, in [0, num_codes).
        num_codes: at least 1.

    Returns:
        uint8 [*shape, 3].
    """
    side = 2
    while side**3 < min(num_codes, _MOST):
        side += 1
    count = side**3
    stride = round(_GOLDEN * count)
    while math.gcd(stride, count) != 1:
        stride += 1
    place = indices % count * stride % count
    digits = torch.stack([place // side**2, place // side % side, place % side], dim=-1)
    return (widened(digits) * (255 / (side - 1))).round().to(torch.uint8)
