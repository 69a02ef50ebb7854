"""Spectra against their definitions: a transform written out, the triangles' formula, closed forms."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from ganvas.functional.spectra import (
    LIMIT,
    SMALLEST,
    log_mel,
    log_mel_distance,
    mel_filterbank,
    mel_window,
    multi_resolution_stft_distance,
    si_sdr,
    stft_magnitude,
)


def sounds(*shape: int) -> tuple[Tensor, Tensor]:
    """Two float64 [B, C, T] by formula, unequal in every axis and in their roles."""
    b, c, t = torch.meshgrid(*(torch.arange(side, dtype=torch.float64) for side in shape), indexing="ij")
    x = 0.4 * torch.sin(0.21 * t * (1 + 0.3 * b) + c) * torch.cos(0.011 * t) + 0.05 * torch.sin(1.9 * t)
    return x, 0.8 * x + 0.05 * torch.sin(0.9 * t + b) - 0.02


def broadband(length: int) -> Tensor:
    """Noise by formula, float64 [1, 1, T]: something at every frequency at every time."""
    return torch.sin(torch.arange(length, dtype=torch.float64) ** 2 * 1.37)[None, None] * 0.3


def by_definition(x: Tensor, window: int, hop: int) -> Tensor:
    """One frame and frequency at a time, of one channel [T]: sum of w(n) x e^(-2 pi i f n / N)."""
    hann = [0.5 - 0.5 * math.cos(2 * math.pi * n / window) for n in range(window)]
    frames = []
    for middle in range(0, len(x) + 1, hop):
        begin = middle - window // 2
        values = [float(x[begin + n]) if 0 <= begin + n < len(x) else 0.0 for n in range(window)]
        column = []
        for frequency in range(window // 2 + 1):
            angle = -2 * math.pi * frequency / window
            terms = zip(hann, values, range(window), strict=True)
            column.append(
                abs(sum(w * v * complex(math.cos(angle * n), math.sin(angle * n)) for w, v, n in terms))
            )
        frames.append(column)
    return torch.tensor(frames, dtype=torch.float64).T * 2 / sum(hann)


@pytest.mark.parametrize(
    ("length", "window", "hop"), [(50, 16, 4), (49, 15, 7), (3, 16, 4), (1, 8, 3), (32, 8, 8)]
)
def test_a_magnitude_is_the_transform_of_each_windowed_frame(length: int, window: int, hop: int) -> None:
    x, _ = sounds(2, 2, length)
    found = stft_magnitude(x, window, hop)
    assert found.shape == (2, 2, window // 2 + 1, 1 + length // hop)
    for b in range(2):
        for c in range(2):
            wanted = by_definition(x[b, c], window, hop).clamp(min=SMALLEST)
            torch.testing.assert_close(found[b, c], wanted, rtol=1e-9, atol=1e-12)


def test_a_sine_has_its_amplitude_at_its_frequency() -> None:
    t = torch.arange(2048, dtype=torch.float64)
    for window in (128, 512):
        found = stft_magnitude((0.3 * torch.sin(2 * math.pi * t / 16))[None, None], window, 64)
        assert found[0, 0, window // 16, 10].item() == pytest.approx(0.3, rel=1e-9)


def test_a_filter_is_a_triangle_between_its_neighbours_on_the_htk_scale() -> None:
    rate, window, bands, low, high = 8000, 256, 20, 100.0, 3600.0
    filters = mel_filterbank(rate, window, bands, low, high)
    assert filters.shape == (bands, 129)

    def hertz(number: int) -> float:
        first, last = 2595 * math.log10(1 + low / 700), 2595 * math.log10(1 + high / 700)
        return float(700 * (10 ** ((first + (last - first) * number / (bands + 1)) / 2595) - 1))

    for band in range(bands):
        left, middle, right = (hertz(band + step) for step in range(3))
        for number in range(129):
            f = number * rate / window
            wanted = 0.0
            if left < f <= middle:
                wanted = (f - left) / (middle - left)
            elif middle < f < right:
                wanted = (right - f) / (right - middle)
            assert filters[band, number].item() == pytest.approx(wanted, abs=1e-9)


def test_a_band_without_a_frequency_is_refused() -> None:
    with pytest.raises(ValueError, match=r"bands=80: band 0 lies between two frequencies"):
        mel_filterbank(8000, 128, 80)
    with pytest.raises(ValueError, match="must rise, up to half of rate=8000"):
        mel_filterbank(8000, 256, 20, 0, 5000)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 24000, 32000, 44100, 48000])
def test_the_default_bands_fit_usual_rates(rate: int) -> None:
    assert (mel_filterbank(rate, mel_window(rate), 64).sum(1) > 0.04).all()


def test_a_log_mel_is_in_decibels_with_the_floor_added() -> None:
    x, _ = sounds(1, 1, 900)
    found = log_mel(x, 8000, 256, 64, 20, floor=1e-3)
    mel = mel_filterbank(8000, 256, 20) @ stft_magnitude(x, 256, 64)[0, 0]
    torch.testing.assert_close(found[0, 0], 20 * torch.log10(mel + 1e-3))
    silence = log_mel(torch.zeros(1, 1, 900), 8000, 256, 64, 20, floor=1e-3)
    torch.testing.assert_close(silence, torch.full_like(silence, -60.0), rtol=0, atol=0.05)


def test_a_log_mel_distance_is_a_mean_of_decibels_for_each_sample() -> None:
    x, _ = sounds(3, 2, 1600)
    found = log_mel_distance(x, x / 2, 8000)
    assert found.shape == (3,)
    wanted = [
        (log_mel(a[None], 8000, 256, 64, 64, 1e-4) - log_mel(b[None], 8000, 256, 64, 64, 1e-4)).abs().mean()
        for a, b in zip(x, x / 2, strict=True)
    ]
    torch.testing.assert_close(found, torch.stack(wanted))
    x = broadband(1600)
    # half the amplitude is 6.02 dB, where the floor is far below
    near = log_mel_distance(x, x / 2, 8000, floor=1e-9)
    torch.testing.assert_close(near, torch.full_like(near, 20 * math.log10(2)), rtol=0, atol=0.01)


def test_the_multi_resolution_distance_is_convergence_and_log_magnitude() -> None:
    x, y = sounds(2, 2, 1500)
    found = multi_resolution_stft_distance(y, x, windows=(64, 256))
    for b in range(2):
        total = 0.0
        for window in (64, 256):
            made, wanted = (
                stft_magnitude(one[b : b + 1], window, window // 4).clamp(min=1e-5) for one in (y, x)
            )
            total += float((wanted - made).norm() / wanted.norm() + (wanted.log() - made.log()).abs().mean())
        assert found[b].item() == pytest.approx(total / 2, rel=1e-12)
    x = broadband(2500)
    # half of it: 1/2 and ln 2 where it is the estimate; convergence is 1 the other way round
    half = multi_resolution_stft_distance(x / 2, x, floor=1e-7)
    torch.testing.assert_close(half, torch.full_like(half, 0.5 + math.log(2)), rtol=0, atol=0.01)
    double = multi_resolution_stft_distance(x, x / 2, floor=1e-7)
    torch.testing.assert_close(double, torch.full_like(double, 1 + math.log(2)), rtol=0, atol=0.01)


def test_si_sdr_is_the_projection_s_share_in_decibels() -> None:
    x, y = sounds(3, 2, 400)
    found = si_sdr(y, x)
    for b in range(3):
        levels = []
        for made, wanted in zip(y[b], x[b], strict=True):
            e, s = made - made.mean(), wanted - wanted.mean()
            scaled = torch.dot(e, s) / torch.dot(s, s) * s
            levels.append(10 * torch.log10(scaled.square().sum() / (e - scaled).square().sum()))
        assert found[b].item() == pytest.approx(float(sum(levels) / 2), abs=1e-8)
    torch.testing.assert_close(si_sdr(-3 * y + 0.1, x), found)  # of any scale and mean
    orthogonal = torch.stack(
        [torch.sin(torch.arange(64) * math.pi / 8), torch.cos(torch.arange(64) * math.pi / 8)]
    )
    s, noise = orthogonal.double()
    assert si_sdr((s + 0.1 * noise)[None, None], s[None, None]).item() == pytest.approx(20, abs=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_si_sdr_of_silence_is_defined(dtype: torch.dtype) -> None:
    x = sounds(1, 1, 400)[0].to(dtype)
    zero, flat = torch.zeros_like(x), torch.full_like(x, 0.3)
    assert si_sdr(x, x).item() == pytest.approx(LIMIT, abs=1e-6)
    assert si_sdr(zero, x).item() == si_sdr(flat, x).item() == pytest.approx(LIMIT)
    for silent in (zero, flat):
        assert si_sdr(x, silent).item() == pytest.approx(-LIMIT)
        assert si_sdr(zero, silent).item() == si_sdr(flat, silent).item() == pytest.approx(LIMIT)


DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "log_mel": lambda x, y: log_mel_distance(x, y, 8000),
    "stft": multi_resolution_stft_distance,
    "si_sdr": si_sdr,
}


@pytest.mark.parametrize("distance", DISTANCES.values(), ids=DISTANCES.keys())
def test_distances_keep_their_type_and_their_gradients_are_finite(
    distance: Callable[[Tensor, Tensor], Tensor],
) -> None:
    x, y = sounds(2, 1, 700)
    for dtype in (torch.float32, torch.float64):
        zero = torch.zeros(2, 1, 700, dtype=dtype)
        a, b = x.to(dtype), y.to(dtype)
        for made, target in ((b, a), (a, a), (zero, a), (a, zero), (zero, zero)):
            estimate = made.clone().requires_grad_()
            found = distance(estimate, target)
            assert found.shape == (2,)
            assert found.dtype == dtype
            assert found.isfinite().all()
            (gradient,) = torch.autograd.grad(found.sum(), estimate)
            assert gradient.isfinite().all()
    torch.testing.assert_close(distance(y.float(), x.float()).double(), distance(y, x), rtol=2e-4, atol=1e-5)
    assert distance(y.half(), x.half()).dtype == torch.float32
    with pytest.raises(ValueError, match="must be of one shape"):
        distance(x, y[:, :, 1:])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(
            distance(y.float(), x.float()), distance(y, x).float(), rtol=2e-4, atol=1e-5
        )


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match=r"must be \[B, C, T\]"):
        stft_magnitude(torch.zeros(4, 100), 16, 4)
    with pytest.raises(ValueError, match="must be at least 2 and 1"):
        stft_magnitude(torch.zeros(1, 1, 100), 16, 0)
