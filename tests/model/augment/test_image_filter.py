from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.model.augment.image_filter import amplify, filter_bank


def gains(*bands: float) -> Tensor:
    """[1, 1, 4], one change."""
    return torch.tensor([[bands]], dtype=torch.float64)


def test_the_bands_are_the_whole() -> None:
    bank = filter_bank()
    impulse = torch.zeros(43, dtype=torch.float64)
    impulse[21] = 1
    torch.testing.assert_close(bank.sum(0), impulse, rtol=0, atol=1e-10)
    torch.testing.assert_close(bank, bank.flip(1))
    # Each band is about an octave: it keeps a wave of its own middle, and little of one two octaves off.
    middles = torch.tensor([0.0, 3 / 16, 3 / 8, 3 / 4], dtype=torch.float64) * torch.pi
    waves = torch.cos(middles[:, None] * (torch.arange(43) - 21))
    kept = bank @ waves.T  # [band, wave]
    assert (kept.diagonal() > 0.7).all()
    assert max(kept[0, 2:].abs().max(), kept[1, 3].abs(), kept[2, 0].abs(), kept[3, :2].abs().max()) < 0.05


def test_it_is_a_convolution_with_a_filter_of_the_power_that_was() -> None:
    x = torch.randn(2, 3, 24, 30, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    changes = torch.tensor([[3.0, 1, 1, 1], [1, 1, 0.25, 1]], dtype=torch.float64).expand(2, 2, 4)
    whole = torch.ones(4, dtype=torch.float64)
    for change in changes[0]:
        whole = whole * change / ((10 * change[0] ** 2 + change[1:].square().sum()) / 13).sqrt()
    taps = (whole @ filter_bank()).view(1, 1, 1, 43)
    padded = F.pad(x, (21, 21, 21, 21), mode="reflect").flatten(0, 1)[:, None]
    expected = F.conv2d(F.conv2d(padded, taps), taps.mT).view_as(x)
    torch.testing.assert_close(amplify(x, changes), expected)


def test_closed_forms() -> None:
    x = torch.randn(1, 1, 8, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close(amplify(x, gains(1, 1, 1, 1)), x, rtol=0, atol=1e-10)
    torch.testing.assert_close(amplify(x, gains(2, 2, 2, 2)), x, rtol=0, atol=1e-10)
    flat = torch.full((1, 2, 16, 16), 0.5, dtype=torch.float64)
    factor = 2 / ((10 * 4 + 3) / 13) ** 0.5  # in each direction
    torch.testing.assert_close(amplify(flat, gains(2, 1, 1, 1)), factor**2 * flat)
    for dtype in (torch.float32, torch.float64):
        assert amplify(flat.to(dtype), gains(2, 1, 1, 1).to(dtype)).dtype == dtype
