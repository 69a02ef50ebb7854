"""What sets of samples are compared by without a network."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ganvas.functional.spectra import FLOOR, mel_filterbank, mel_window
from ganvas.modality.image import Image
from ganvas.modality.interface import Modality
from ganvas.modality.points import Points, Values
from ganvas.modality.sound import Sound
from ganvas.modality.sound_file import RATES


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) - 0.5


@pytest.mark.parametrize("shape", [(2,), (256,), (4, 64), (1, 257), (3, 1000)])
def test_few_values_are_taken_as_they_are_and_many_by_parts(shape: tuple[int, ...]) -> None:
    x, kind = noise(5, *shape), Values()
    found, protocol = kind.summary(x, 8), kind.summary_protocol(shape, 8)
    if math.prod(shape) <= 256:
        assert torch.equal(found, x.flatten(1))
        assert protocol["name"] == "pixels"
        return
    assert (found.shape, found.dtype) == ((5, 256), torch.float32)
    assert protocol["name"] == "parts"
    assert "128 equal parts" in str(protocol["kept"])
    values = x.double().flatten(1)
    count = values.shape[1]
    for part in (0, 77, 127):  # a part that begins or ends between two values takes both
        own = values[:, part * count // 128 : -(-(part + 1) * count // 128)]
        torch.testing.assert_close(found[:, part], own.mean(1).float(), atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(
            found[:, 128 + part], own.std(1, correction=0).float(), atol=1e-5, rtol=1e-4
        )


def test_a_sound_is_its_bands_levels_and_how_they_vary() -> None:
    """Against a loop over frames and bands."""
    x, window, hop = noise(2, 2, 900), 256, 64
    hann = torch.hann_window(window, dtype=torch.float64)
    padded = torch.nn.functional.pad(x.double(), (window // 2, window))
    frames = [padded[..., start : start + window] * hann for start in range(0, 900 + 1, hop)]
    bands = mel_filterbank(8000, window, 32)
    level = torch.stack([torch.fft.rfft(one).abs() * 2 / hann.sum() @ bands.T for one in frames], 3)
    level = 20 * (level + FLOOR).log10()  # [B, C, bands, frames]
    want = torch.cat([level.mean(3), level.std(3, correction=0)], 2).flatten(1)
    found = Sound(8000, 2).summary(x, 8)
    assert found.shape == (2, 128)
    torch.testing.assert_close(found.double(), want, atol=1e-3, rtol=1e-4)


def test_it_tells_sounds_apart_that_a_mean_wave_does_not() -> None:
    kind, time = Sound(8000, 1), torch.arange(8000) / 8000
    low, high = (0.5 * torch.sin(2 * torch.pi * hertz * time)[None, None] for hertz in (300, 2000))
    turned = 0.5 * torch.cos(2 * torch.pi * 300 * time)[None, None]  # the same tone, no value the same
    near, far = ((kind.summary(one, 8) - kind.summary(low, 8)).norm() for one in (turned, high))
    assert float(near) < 0.1 * float(far)


@pytest.mark.parametrize("rate", [RATES[0], 1500, 2000, 4000, 8000, 11025, 44100, 96000, RATES[1]])
def test_sounds_of_any_rate_and_length_have_one(rate: int) -> None:
    kind = Sound(rate, 1)
    bands = kind.summary_protocol([1, 1], 8)["bands"]
    assert isinstance(bands, int)
    assert bands == min(32, mel_window(rate) // 8)
    for length in (1, 999):
        assert kind.summary(noise(2, 1, length), 8).shape == (2, 2 * bands)


@pytest.mark.parametrize(("kind", "shape"), [(Sound(8000, 1), (1, 600)), (Values(), (600,))])
def test_silence_passes_a_finite_gradient(kind: Modality, shape: tuple[int, ...]) -> None:
    x = torch.zeros(2, *shape, requires_grad=True)
    kind.summary(x, 8).square().sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_the_protocol_tells_rates_apart_and_kinds() -> None:
    protocols = [
        kind.summary_protocol([1, 8, 1000], 8)
        for kind in (Sound(8000, 1), Sound(16000, 1), Values(), Image())
    ]
    assert all(one != other for one in protocols for other in protocols if one is not other)
    assert Points().summary_protocol([2], 8) == Image().summary_protocol([3, 64, 64], 8)
    assert Image().summary_protocol([3, 64, 64], 8) != Image().summary_protocol([3, 64, 64], 16)


def test_two_that_treat_samples_alike_are_equal() -> None:
    assert Sound(8000, 1) == Sound(8000, 1) != Sound(8000, 2)
    assert hash(Sound(8000, 1)) == hash(Sound(8000, 1))
    assert Image() == Image() != Values()
