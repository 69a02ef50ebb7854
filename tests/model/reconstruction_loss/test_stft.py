from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.functional.batch import DataFacts
from ganvas.functional.spectra import stft_magnitude
from ganvas.model.reconstruction_loss.stft import STFT


def pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 2, 300, generator=generator, dtype=torch.float64) * 0.2
    return x, 0.6 * x + 0.02 * torch.randn(2, 2, 300, generator=generator, dtype=torch.float64)


def test_it_is_the_mean_over_windows_of_both_terms() -> None:
    x, y = pair()
    total = 0.0
    for window in (32, 128):
        s, r = stft_magnitude(x, window, window // 4), stft_magnitude(y, window, window // 4)
        logs = ((s + 1e-3).log() - (r + 1e-3).log()).abs().mean()
        total += float((s - r).abs().mean() + 0.7 * logs) / 2
    loss = STFT([32, 128], log_weight=0.7, floor=1e-3, weight=3.0)
    assert loss(reconstruction=y, target=x).item() == pytest.approx(3 * total, rel=1e-12)
    assert STFT([64])(reconstruction=x, target=x).item() == 0


def test_half_the_amplitude_is_ln_2_and_half_the_mean_magnitude() -> None:
    x, _ = pair()
    mean = stft_magnitude(x, 64, 16).mean().item()
    loss = STFT([64], floor=1e-9)(reconstruction=x / 2, target=x).item()
    assert loss == pytest.approx(mean / 2 + math.log(2), rel=1e-4)
    assert STFT([64], log_weight=0)(reconstruction=x / 2, target=x).item() == pytest.approx(mean / 2)


def test_parts_of_a_batch_have_its_mean() -> None:
    x, y = pair()
    loss = STFT([32, 64])
    parts = [loss(reconstruction=b, target=a) for a, b in zip(x.split(1), y.split(1), strict=True)]
    torch.testing.assert_close(torch.stack(parts).mean(), loss(reconstruction=y, target=x))


@pytest.mark.parametrize("length", [1, 10, 300])
def test_silence_and_short_sounds_have_finite_gradients(length: int) -> None:
    for made in (torch.zeros(2, 1, length), torch.randn(2, 1, length)):
        made.requires_grad_()
        loss = STFT()(reconstruction=made, target=torch.zeros(2, 1, length))
        (gradient,) = torch.autograd.grad(loss, made)
        assert loss.isfinite()
        assert gradient.isfinite().all()


@pytest.mark.parametrize(
    ("option", "options"),
    [
        ("windows", {"windows": []}),
        ("windows", {"windows": [64, 2]}),
        ("log_weight", {"log_weight": -1.0}),
        ("floor", {"floor": 0.0}),
        ("weight", {"weight": 0.0}),
    ],
)
def test_options_are_checked(option: str, options: dict[str, Any]) -> None:
    with pytest.raises(OptionError) as error:
        STFT(**options)
    assert error.value.option == option


def test_images_are_refused() -> None:
    image = DataFacts([1, 8, 8], None, "", "Digits")
    with pytest.raises(OptionError, match="takes sounds") as error:
        STFT().check(lambda: image)
    assert error.value.option == "sample_shape"
    STFT().check(lambda: image._replace(sample_shape=[1, 800]))
    with pytest.raises(ValueError, match=r"takes sounds \[B, C, T\]"):
        STFT()(reconstruction=torch.zeros(2, 1, 8, 8), target=torch.zeros(2, 1, 8, 8))
