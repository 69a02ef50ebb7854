"""Amplification of bands of frequencies (Karras 2020, arXiv:2006.06676, appendix B)."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import conv1d

from ganvas.model.augment.linear import apply_linear

BANDS = 4
# Low-pass filter of the wavelet sym2 (Daubechies 1992, table 6.1).
_SYM2 = (-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025)


def amplify(x: Tensor, gains: Tensor) -> Tensor:
    """Images [B, C, H, W] with their bands amplified, each in both directions; the expected power stays.

    Args:
        x: images of at least 2 pixels a side; beyond its borders one goes on by reflection.
        gains: [B, 4, 4], of its own for each change; entry (i, j) is what change i makes of band j.
    """
    squares = gains.square()
    power = (squares.sum(dim=2) + 9 * squares[:, :, 0]) / 13  # [B, 4]; images have 10 / 13 in the lowest band
    whole = (gains / power.sqrt()[:, :, None]).prod(dim=1)  # [B, 4], of the changes one after the other
    of_y, of_x = ((whole @ _bands(size, x.dtype, x.device)).view(-1, 1, size, size) for size in x.shape[2:])
    return apply_linear(x, lambda x: of_y @ x @ of_x.mT, lambda x: of_y.mT @ x @ of_x)


@lru_cache(maxsize=16)
def _bands(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """[4, size size], what each band keeps of a line of pixels; together they keep all of it."""
    with torch.inference_mode(False):
        bank = filter_bank()
        reach, period = bank.shape[1] // 2, 2 * (size - 1)
        matrices = torch.zeros(BANDS, size, size, dtype=torch.float64)
        for row in range(size):
            for tap in range(bank.shape[1]):
                source = (row + tap - reach) % period
                matrices[:, row, min(source, period - source)] += bank[:, tap]
        return matrices.flatten(1).to(device, dtype)


def filter_bank() -> Tensor:
    """float64 [4, 43], the bands' filters, lowest first: symmetric, and their sum is the unit impulse."""
    low = torch.tensor(_SYM2, dtype=torch.float64)
    high = low * torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=torch.float64)
    halves = [_convolved(one[None], one.flip(0)) / 2 for one in (low, high)]  # [1, 7]
    bank = torch.eye(BANDS, 1, dtype=torch.float64)
    for band in range(1, BANDS):
        wide = torch.zeros(BANDS, 2 * bank.shape[1] - 1, dtype=torch.float64)
        wide[:, ::2] = bank
        bank = _convolved(wide, halves[0][0])
        middle = bank.shape[1] // 2
        bank[band, middle - 3 : middle + 4] += halves[1][0]
    return bank


def _convolved(rows: Tensor, taps: Tensor) -> Tensor:
    """Rows [N, L] with taps [K], [N, L + K - 1]."""
    reach = len(taps) - 1
    return conv1d(rows[:, None], taps.flip(0)[None, None], padding=reach)[:, 0]
