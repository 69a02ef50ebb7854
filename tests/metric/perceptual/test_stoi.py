"""STOI against pystoi called directly, and what is known of it."""

from __future__ import annotations

import importlib
import itertools
import math
import sys

import pystoi
import pytest
import torch
from torch import Tensor

from ganvas.errors import OptionError
from ganvas.functional.batch import DataFacts
from ganvas.metric.perceptual import stoi
from ganvas.metric.perceptual.stoi import STOI
from ganvas.modality.image import Image
from ganvas.modality.sound import Sound


def facts(rate: int, channels: int = 1) -> DataFacts:
    return DataFacts([channels, 8000], None, "", "Sounds", modality=Sound(rate, channels))


def speech(count: int, channels: int, seconds: float, rate: int) -> Tensor:
    """Noise that swells and ebbs as syllables do, four times a second: float32 [B, C, T]."""
    length = int(seconds * rate)
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(count, channels, length, generator=generator)
    phase = torch.rand(count, 1, 1, generator=generator)
    swell = torch.sin(2 * torch.pi * (4 * torch.arange(length) / rate + phase)).square()
    return 0.2 * noise.clamp(-3, 3) * swell


def noisy(x: Tensor, level: float) -> Tensor:
    return (x + level * torch.randn(x.shape, generator=torch.Generator().manual_seed(2))).clamp(-1, 1)


def of(x: Tensor, y: Tensor, rate: int, **options: bool) -> float:
    metric = STOI(**options)
    metric.check(facts(rate, x.shape[1]))
    metric.update(original=x, reconstruction=y)
    return float(metric.compute()["stoi"])


def direct(x: Tensor, y: Tensor, rate: int, extended: bool = False) -> float:
    return float(pystoi.stoi(x.double().numpy(), y.double().numpy(), rate, extended=extended))


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("rate", [8000, 10000, 16000])
def test_it_is_the_librarys(rate: int, extended: bool) -> None:
    x = speech(3, 1, 0.9, rate)
    y = torch.cat([noisy(x[:1], 0.02), noisy(x[1:2], 0.1), noisy(x[2:], 0.5)])
    metric = STOI(extended=extended)
    metric.check(facts(rate))
    for some in (slice(0, 1), slice(1, 3)):
        metric.update(original=x[some], reconstruction=y[some])
    want = sum(direct(x[i, 0], y[i, 0], rate, extended) for i in range(3)) / 3
    assert metric.compute()["stoi"].dtype == torch.float64
    assert float(metric.compute()["stoi"]) == pytest.approx(want, abs=1e-12)
    swapped = sum(direct(y[i, 0], x[i, 0], rate, extended) for i in range(3)) / 3
    # So that the sides are the right ones; ESTOI takes them alike where no frame is left out.
    assert extended or abs(want - swapped) > 1e-3


def test_equal_sounds_have_1_and_noise_takes_from_it() -> None:
    x = speech(2, 2, 0.8, 8000)
    found = [of(x, noisy(x, level), 8000) for level in (0, 0.01, 0.1, 0.4)]
    assert found[0] == pytest.approx(1, abs=1e-9)
    assert all(more > less + 0.02 for more, less in itertools.pairwise(found[1:]))
    assert 0 < found[3] < 0.6 < found[1] < 1
    assert of(x, 0.3 * x, 8000) == pytest.approx(1, abs=1e-6)  # loudness is not intelligibility


def test_a_sounds_channels_are_averaged() -> None:
    x = speech(1, 2, 0.8, 8000)
    y = torch.cat([x[:, :1], noisy(x[:, 1:], 0.3)], 1)
    assert of(x, y, 8000) == pytest.approx((1 + direct(x[0, 1], y[0, 1], 8000)) / 2, abs=1e-9)


def test_sounds_without_a_value_do_not_count() -> None:
    metric = STOI()
    metric.check(facts(8000))
    x = speech(1, 1, 0.8, 8000)
    y = noisy(x, 0.1)
    metric.update(original=x[..., :2000], reconstruction=y[..., :2000])
    metric.update(original=torch.zeros(1, 1, 8000), reconstruction=torch.ones(1, 1, 8000))
    burst = torch.cat([x[..., :2400], torch.zeros(1, 1, 8000)], 2)  # long enough, but for its silence
    metric.update(original=burst, reconstruction=burst)
    assert math.isnan(metric.compute()["stoi"])
    assert metric.protocol["sounds_without_value"] == 3
    metric.update(original=x, reconstruction=y)
    assert float(metric.compute()["stoi"]) == pytest.approx(direct(x[0, 0], y[0, 0], 8000), abs=1e-12)
    assert metric.protocol["sounds_without_value"] == 3


def test_long_sounds_are_judged_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stoi, "_PIECE", 1)
    x = speech(1, 1, 2.5, 8000)
    y = torch.cat([noisy(x[..., :10000], 0.05), noisy(x[..., 10000:], 0.4)], 2)
    parts = zip(x[0, 0].tensor_split(3), y[0, 0].tensor_split(3))
    want = sum(direct(one, other, 8000) for one, other in parts) / 3
    assert of(x, y, 8000) == pytest.approx(want, abs=1e-12)


def test_the_protocol_tells_rates_and_kinds_apart() -> None:
    found = []
    for rate, extended in ((8000, False), (16000, False), (8000, True)):
        metric = STOI(extended=extended)
        metric.check(facts(rate))
        found.append(metric.protocol)
    assert {key for key in found[0] if found[0][key] != found[1][key]} == {"rate"}
    assert {key for key in found[0] if found[0][key] != found[2][key]} == {"extended"}


@pytest.mark.parametrize("rate", [7999, 48001])
def test_other_rates_are_refused_by_name(rate: int) -> None:
    with pytest.raises(OptionError, match=rf"^perceptual=stoi: takes sounds of 8,000 .* have {rate:,};"):
        STOI().check(facts(rate))
    STOI().check(facts(min(max(rate, 8000), 48000)))


def test_images_are_refused() -> None:
    with pytest.raises(OptionError, match=r"takes sounds, and Digits has samples of \[1, 8, 8\]; metric"):
        STOI().check(DataFacts([1, 8, 8], 10, "", "Digits", modality=Image()))


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pystoi", None)
    with pytest.raises(OptionError, match=r"needs pystoi; pip install 'ganvas\[sound\]'"):
        STOI().check(facts(8000))
    monkeypatch.undo()
    assert importlib.import_module("pystoi") is pystoi


def test_other_shapes_are_refused() -> None:
    metric = STOI()
    metric.check(facts(8000))
    with pytest.raises(ValueError, match="reconstruction"):
        metric.update(original=torch.zeros(1, 1, 9), reconstruction=torch.zeros(1, 1, 8))
