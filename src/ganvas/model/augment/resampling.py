"""The resampling that shows geometric changes (Karras 2020, arXiv:2006.06676, appendix B).

Positions are in pixels about the image's centre, x to the right and y down.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from ganvas.model.augment.linear import Map, apply_linear

# Low-pass filter of the wavelet sym6 (Daubechies 1992, table 6.3), to be divided by its sum.
_SYM6 = (
    *(0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633),
    *(0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252),
    *(-0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148),
)
_TAPS = len(_SYM6)
_CACHED = 400_000  # values of enlarged images at once on a CPU: these stay in its cache


def resample(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Images [B, C, H, W] whose pixel at position u is what ``x`` has at a u + b.

    As the paper's: the image goes on beyond its borders by reflection, is made twice as large by the wavelet
    filter sym6, read bilinearly, and made small by the same filter (Karras 2020, appendix B). Both filterings
    are products with matrices of the size alone. A sample that stays where it is comes through to the bit.

    The official code reflects once at most, and has zeros farther out; here the reflections go on, so that
    what a sample becomes does not depend on the others of its batch.

    It may be differentiated as often as needed with respect to ``x``; not with respect to a and b.

    Args:
        x: images of at least 2 pixels a side.
        a: [B, 2, 2].
        b: [B, 2], pixels (x, y).
    """
    eye = torch.eye(2, dtype=a.dtype, device=a.device)
    moves = (a != eye).flatten(1).any(1) | (b != 0).any(1)  # [B]
    if x.device.type != "cpu":  # where the host would wait for the device to know how many move
        return torch.where(moves[:, None, None, None], _resampled(x, a, b, at_once=len(x)), x)
    (rows,) = moves.nonzero(as_tuple=True)
    if len(rows) == 0:
        return x
    values = x.shape[1] * (4 * x.shape[2] - 3) * (4 * x.shape[3] - 3)  # of an enlarged image
    moved = _resampled(x.index_select(0, rows), a[rows], b[rows], at_once=max(1, _CACHED // values))
    return x.index_copy(0, rows, moved)


def _resampled(x: Tensor, a: Tensor, b: Tensor, at_once: int) -> Tensor:
    of_y, of_x = (_axis(size, x.dtype, x.device) for size in x.shape[2:])

    def there(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        large = of_y.up @ x @ of_x.up.mT  # [B, C, 4 H - 3, 4 W - 3]
        read = grid_sample(large, _grid(a, b, of_x, of_y), align_corners=True)  # [B, C, 2 H + 10, 2 W + 10]
        return of_y.down @ read @ of_x.down.mT  # [B, C, H, W]

    def back(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        read = of_y.down.mT @ x @ of_x.down
        large = spread(read, _grid(a, b, of_x, of_y), len(of_y.up), len(of_x.up))
        return of_y.up.mT @ large @ of_x.up

    def in_pieces(one: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Map:
        def whole(x: Tensor) -> Tensor:
            pieces = zip(x.split(at_once), a.split(at_once), b.split(at_once), strict=True)
            return torch.cat([one(*piece) for piece in pieces])

        return whole

    return apply_linear(x, in_pieces(there), in_pieces(back))


class _Axis(NamedTuple):
    """What one side of an image asks for; enlarged pixel i is at position i / 2 - (size - 1) / 2."""

    up: Tensor  # [4 size - 3, size], from the image to a period of the enlarged one, which begins at pixel 0
    down: Tensor  # [size, 2 size + 10], from enlarged pixels to the image
    positions: Tensor  # [2 size + 10], pixels about the centre of those that ``down`` reads
    period: int  # pixels


@lru_cache(maxsize=16)  # so that a step neither makes them nor copies them to its device
def _axis(size: int, dtype: torch.dtype, device: torch.device) -> _Axis:
    taps = [tap / sum(_SYM6) for tap in _SYM6]
    half, period = _TAPS // 2, 2 * (size - 1)
    with torch.inference_mode(False):
        up = torch.zeros(2 * period + 1, size, dtype=torch.float64)
        for row in range(2 * period + 1):
            for j, tap in enumerate(taps):
                source, between = divmod(row + half - 1 - j, 2)
                if not between:  # every other enlarged pixel is a zero before the filter
                    source %= period
                    up[row, min(source, period - source)] += 2 * tap
        down = torch.zeros(size, 2 * (size + half - 1), dtype=torch.float64)
        for row in range(size):
            down[row, 2 * row : 2 * row + _TAPS] = torch.tensor(taps, dtype=torch.float64)
        enlarged = torch.arange(down.shape[1], dtype=torch.float64) - (half - 1)
        positions = (enlarged - (size - 1)) / 2
        up, down, positions = (one.to(device, dtype) for one in (up, down, positions))
        return _Axis(up, down, positions, period)


def _grid(a: Tensor, b: Tensor, of_x: _Axis, of_y: _Axis) -> Tensor:
    """Where a period is read, [B, 2 H + 10, 2 W + 10, 2] as (x, y); -1 and 1 are its ends.

    By sums, not by a product, whose precision is the user's choice: places must not be rounded.
    """
    grid = a.new_empty(len(a), 2, len(of_y.positions), len(of_x.positions))
    for axis, own in enumerate((of_x, of_y)):  # in periods from the middle of the first one
        along_x, along_y, start = (
            part / own.period for part in (*a[:, axis].unbind(1), b[:, axis])
        )  # [B] each
        by_row = of_y.positions * along_y[:, None]  # [B, 2 H + 10]
        by_column = of_x.positions * along_x[:, None] + (start[:, None] - 0.25)  # [B, 2 W + 10]
        torch.add(by_row[:, :, None], by_column[:, None, :], out=grid[:, axis])
    return grid.sub_(grid.round()).mul_(2).movedim(1, 3)


def spread(values: Tensor, grid: Tensor, height: int, width: int, *, in_order: bool | None = None) -> Tensor:
    """Values to the pixels that they were read from, the transpose of grid_sample with align_corners=True.

    The gradient of grid_sample, which it is, has itself none before torch 2.12.

    Args:
        values: [B, C, h, w].
        grid: [B, h, w, 2], in [-1, 1].
        height: H of the images.
        width: W of the images.
        in_order: whether sums are made in one order always; None: where torch is to be deterministic, and its
            kernel, on CUDA, is not.

    Returns:
        [B, C, H, W].
    """
    batch, channels = values.shape[:2]
    if in_order is None:
        in_order = values.is_cuda and torch.are_deterministic_algorithms_enabled()
    if not in_order:
        images = values.new_empty(()).expand(batch, channels, height, width)  # for the shape
        backward = torch.ops.aten.grid_sampler_2d_backward
        result: Tensor = backward(values, images, grid, 0, 0, True, [True, False])[0]
        return result
    x, y = ((grid[..., i] + 1) / 2 * (size - 1) for i, size in ((0, width), (1, height)))  # [B, h, w], pixels
    left, top = x.floor(), y.floor()
    flat = values.movedim(1, 3)  # [B, h, w, C]
    found = values.new_zeros(batch * height * width, channels)
    start = torch.arange(batch, device=values.device)[:, None, None] * (height * width)
    for right in (0, 1):
        for down in (0, 1):
            weight = (1 - (x - left - right).abs()) * (1 - (y - top - down).abs())
            column, row = (
                (left + right).long().clamp(max=width - 1),
                (top + down).long().clamp(max=height - 1),
            )
            at = start + row * width + column
            found.index_add_(0, at.flatten(), (flat * weight[..., None]).flatten(0, 2))
    return found.view(batch, height, width, channels).movedim(3, 1)
