from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.functional.batch import DataFacts
from ganvas.functional.spectra import mel_filterbank, stft_magnitude
from ganvas.model.reconstruction_loss.mel import Mel


def pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 2, 300, generator=generator, dtype=torch.float64) * 0.2
    return x, 0.6 * x + 0.02 * torch.randn(2, 2, 300, generator=generator, dtype=torch.float64)


def test_it_is_the_mean_over_windows_of_log_mel_distances() -> None:
    x, y = pair()
    total = 0.0
    for window, bands in ((64, 5), (128, 20)):
        filters = mel_filterbank(8000, window, bands)
        a, b = (torch.log10(filters @ stft_magnitude(one, window, window // 4) + 1e-3) for one in (x, y))
        total += float((a - b).abs().mean()) / 2
    loss = Mel(8000, [64, 128], [5, 20], floor=1e-3, weight=3.0)
    assert loss(reconstruction=y, target=x).item() == pytest.approx(3 * total, rel=1e-9)
    assert loss(reconstruction=x, target=x).item() == 0


def test_half_the_amplitude_is_log10_of_2() -> None:
    x, _ = pair()
    loss = Mel(8000, floor=1e-9)(reconstruction=x / 2, target=x)
    assert loss.item() == pytest.approx(math.log10(2), rel=1e-4)


def test_the_rate_places_the_bands() -> None:
    x, y = pair()
    one, other = (Mel(rate, [128], [8])(reconstruction=y, target=x).item() for rate in (8000, 44100))
    assert one != pytest.approx(other, rel=1e-3)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
def test_the_default_bands_fit_usual_rates(rate: int) -> None:
    assert Mel(rate).rate == rate


def test_parts_of_a_batch_have_its_mean() -> None:
    x, y = pair()
    loss = Mel(8000)
    parts = [loss(reconstruction=b, target=a) for a, b in zip(x.split(1), y.split(1), strict=True)]
    torch.testing.assert_close(torch.stack(parts).mean(), loss(reconstruction=y, target=x))


@pytest.mark.parametrize("length", [1, 300])
def test_a_gradient_gets_out_of_silence(length: int) -> None:
    silence = torch.zeros(2, 1, length, requires_grad=True)
    loss = Mel(8000)(reconstruction=silence, target=torch.ones(2, 1, length))
    (gradient,) = torch.autograd.grad(loss, silence)
    assert gradient.isfinite().all()
    quiet = torch.full((2, 1, length), 1e-5, requires_grad=True)
    (gradient,) = torch.autograd.grad(Mel(8000)(reconstruction=quiet, target=torch.ones(2, 1, length)), quiet)
    assert gradient.isfinite().all()
    assert gradient.abs().max() > 0


@pytest.mark.parametrize(
    ("option", "options"),
    [
        ("rate", {"rate": None}),
        ("windows", {"windows": []}),
        ("bands", {"bands": [3]}),
        ("bands", {"windows": [64], "bands": [40]}),
        ("bands", {"windows": [64], "bands": [0]}),
        ("floor", {"floor": 0.0}),
        ("weight", {"weight": 0.0}),
    ],
)
def test_options_are_checked(option: str, options: dict[str, Any]) -> None:
    with pytest.raises(OptionError) as error:
        Mel(**({"rate": 8000} | options))
    assert error.value.option == option


def test_images_are_refused() -> None:
    image = DataFacts([1, 8, 8], None, "", "Digits")
    with pytest.raises(OptionError, match="takes sounds"):
        Mel(8000).check(lambda: image)
    with pytest.raises(ValueError, match=r"takes sounds \[B, C, T\]"):
        Mel(8000)(reconstruction=torch.zeros(2, 1, 8, 8), target=torch.zeros(2, 1, 8, 8))
