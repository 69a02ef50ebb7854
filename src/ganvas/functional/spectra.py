"""Sounds by their spectra and waves: STFT magnitudes, mel bands, and distances of two sounds.

A magnitude is divided by half the sum of its window: a sine of amplitude a has about a at its frequency
whatever the window, and levels in dB are of a full-scale sine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import pad

from ganvas.functional.contracts import unlike
from ganvas.functional.precision import at_least_float32

SMALLEST = 1e-7  # of a magnitude: 140 dB below a full-scale sine; 16 bits end near 98
FLOOR = 1e-4  # amplitude that is added to every mel band, 80 dB below a full-scale sine
BANDS, SECONDS = 64, 0.032  # of the log-mel distance: mel bands, and its window's length
RESOLUTIONS = (512, 1024, 2048)  # windows of the multi-resolution distance, samples (Yamamoto 2020, table 1)
LIMIT = 100.0  # dB, of SI-SDR both ways


def stft_magnitude(x: Tensor, window: int, hop: int) -> Tensor:
    """|STFT| by a periodic Hann window, whose middle stands at samples 0, hop, 2 hop, ...; zeros around.

    Args:
        x: [B, C, T] in [-1, 1], T at least 1; half types are computed in float32.
        window: its length and the transform's, samples.
        hop: samples from frame to frame.

    Returns:
        [B, C, window // 2 + 1, 1 + T // hop], at least :data:`SMALLEST`; its gradient is 0 there.

    Raises:
        ValueError: another shape, a window under 2 samples, or a hop below 1.
    """
    if x.ndim != 3 or x.shape[2] < 1:
        raise ValueError(f"x of {list(x.shape)}: must be [B, C, T] with T of at least 1")
    if window < 2 or hop < 1:
        raise ValueError(f"window={window}, hop={hop}: must be at least 2 and 1 samples")
    x = at_least_float32(x)
    hann = torch.hann_window(window, dtype=x.dtype, device=x.device)
    half = window // 2
    wave = pad(x.flatten(0, 1), (half, window - half))  # [B C, T + window]; T // hop frames beside the first
    spectrum = torch.stft(wave, window, hop, window=hann, center=False, return_complex=True)
    spectrum = spectrum[..., : 1 + x.shape[2] // hop].unflatten(0, x.shape[:2])  # [B, C, F, frames]
    power = spectrum.real.square() + spectrum.imag.square()
    # of the power, before the root: its slope is endless at 0
    scaled: Tensor = power * (2 / hann.sum()).square()
    return scaled.clamp(min=SMALLEST**2).sqrt()


@lru_cache(maxsize=32)
def mel_filterbank(rate: int, window: int, bands: int, low: float = 0.0, high: float | None = None) -> Tensor:
    """Triangles on the HTK scale, m = 2595 log10(1 + f / 700), each with its top, 1, between its neighbours'.

    Band b rises from the middle of band b - 1 and falls to that of b + 1, along lines in Hz; the middles lie
    evenly in mel. They are not divided by their areas (torchaudio's default, norm=None).

    Args:
        rate: samples a second.
        window: of the STFT, samples.
        bands: their number.
        low, high: Hz, where the first band begins and the last one ends; None: half the rate.

    Returns:
        float64 [bands, window // 2 + 1], the same tensor at each call: not to be changed.

    Raises:
        ValueError: a band so narrow that no frequency of the transform lies in it, or other limits.
    """
    high = rate / 2 if high is None else high
    if not 0 <= low < high <= rate / 2 or bands < 1:
        raise ValueError(f"low={low}, high={high}, bands={bands}: must rise, up to half of rate={rate}")
    first, last = (2595 * math.log10(1 + edge / 700) for edge in (low, high))
    mel = torch.linspace(first, last, bands + 2, dtype=torch.float64)
    edges = 700 * (10 ** (mel / 2595) - 1)  # Hz
    frequencies = torch.arange(window // 2 + 1, dtype=torch.float64) * rate / window  # [F]
    widths = edges.diff()[:, None]  # [bands + 1, 1]
    rising = (frequencies - edges[:-2, None]) / widths[:-1]
    falling = (edges[2:, None] - frequencies) / widths[1:]
    filters = torch.minimum(rising, falling).clamp(min=0)
    empty = (filters.sum(1) == 0).nonzero()
    if len(empty):
        raise ValueError(
            f"bands={bands}: band {int(empty[0])} lies between two frequencies of a window of {window} "
            f"samples at {rate} Hz; a longer window, or fewer bands"
        )
    return filters


def log_mel(x: Tensor, rate: int, window: int, hop: int, bands: int, floor: float = FLOOR) -> Tensor:
    """20 log10(mel + floor), dB: sums of :func:`stft_magnitude` over the bands of :func:`mel_filterbank`.

    The floor is added: what is far below it makes no difference, and a gradient reaches silence.

    Args:
        x: [B, C, T] in [-1, 1].
        rate: samples a second.
        window, hop: samples.
        bands: mel bands, from 0 to half the rate.
        floor: amplitude, positive.

    Returns:
        [B, C, bands, frames].
    """
    magnitude = stft_magnitude(x, window, hop)
    filters = mel_filterbank(rate, window, bands).to(magnitude)  # [bands, F]
    with torch.autocast(magnitude.device.type, enabled=False):
        return 20 * (filters @ magnitude + floor).log10()


def log_mel_distance(
    x: Tensor,
    y: Tensor,
    rate: int,
    *,
    window: int | None = None,
    hop: int | None = None,
    bands: int = BANDS,
    floor: float = FLOOR,
) -> Tensor:
    """Mean of |log-mel of x - log-mel of y| over channels, bands and frames, dB.

    Args:
        x: [B, C, T] in [-1, 1].
        y: likewise.
        rate: samples a second.
        window: samples; None: :func:`mel_window`.
        hop: samples; None: a quarter of the window.
        bands: mel bands.
        floor: amplitude below which nothing counts: 80 dB below full scale.

    Returns:
        [B] of at least 0, in the type of x.

    Raises:
        ValueError: two shapes, or what the parts raise.
    """
    _require_alike(x, y)
    window = mel_window(rate) if window is None else window
    hop = max(1, window // 4) if hop is None else hop
    one, other = (log_mel(sound, rate, window, hop, bands, floor) for sound in (x, y))
    return (one - other).abs().mean((1, 2, 3))


def mel_window(rate: int, seconds: float = SECONDS) -> int:
    """The power of 2 nearest to so many seconds, samples: 256 at 8 kHz, 512 at 16, 1024 at 44.1."""
    return int(2 ** max(1, round(math.log2(rate * seconds))))


def multi_resolution_stft_distance(
    estimate: Tensor, target: Tensor, windows: Sequence[int] = RESOLUTIONS, floor: float = 1e-5
) -> Tensor:
    """Mean over windows of spectral convergence + log magnitude (Yamamoto 2020, arXiv:1910.11480, eq. 5-7).

    Convergence: norm(|S| - |E|) / norm(|S|), over channels, frequencies and frames of a sample;
    log magnitude: mean of |ln |S| - ln |E||. Each window is its transform's length, its hop a quarter
    (the paper's windows are shorter than their transforms, by half).

    Args:
        estimate: [B, C, T] in [-1, 1].
        target: likewise; convergence is a share of its norm.
        windows: samples.
        floor: least magnitude: 100 dB below a full-scale sine. So a silent target has a finite distance, too.

    Returns:
        [B] of at least 0, in the type of the sounds.

    Raises:
        ValueError: two shapes.
    """
    _require_alike(estimate, target)
    total = torch.zeros((), dtype=at_least_float32(target).dtype, device=target.device)
    for window in windows:
        made, wanted = (
            stft_magnitude(sound, window, window // 4).clamp(min=floor) for sound in (estimate, target)
        )
        error, norm = (_norm(value) for value in (wanted - made, wanted))
        total = total + error / norm + (wanted.log() - made.log()).abs().mean((1, 2, 3))
    return total / len(windows)


def si_sdr(estimate: Tensor, target: Tensor) -> Tensor:
    """Scale-invariant signal-to-distortion ratio (Le Roux 2019, arXiv:1811.02508, eq. 5), dB.

    10 log10(|a s|^2 / |a s - e|^2) with a = <e, s> / |s|^2, of each channel without its mean; the mean over
    channels. Cut to +-:data:`LIMIT`, where it has no gradient. A target that is silent (constant) has no
    scale: an estimate that is silent too has LIMIT, another -LIMIT.

    Args:
        estimate: [B, C, T].
        target: likewise.

    Returns:
        [B], in the type of the sounds.

    Raises:
        ValueError: two shapes.
    """
    _require_alike(estimate, target)
    e, s = (_centred(at_least_float32(one)) for one in (estimate, target))
    energy = s.square().sum(2, keepdim=True)
    silent = torch.finfo(s.dtype).tiny
    scaled = (e * s).sum(2, keepdim=True) / energy.clamp(min=silent) * s
    signal, error = scaled.square().sum(2), (scaled - e).square().sum(2)  # [B, C]
    share = 10.0 ** (-LIMIT / 10)
    whole = (signal + error).clamp(min=silent)
    ratio = torch.where(whole > silent, signal / whole, torch.ones_like(whole))  # of what is the target's
    rest = torch.where(whole > silent, error / whole, torch.zeros_like(whole))
    return (10 * (ratio.clamp(min=share).log10() - rest.clamp(min=share).log10())).mean(1)


def _centred(x: Tensor) -> Tensor:
    """x [B, C, T] without each channel's mean; zeros where what is left is the mean's rounding."""
    centred = x - x.mean(2, keepdim=True)
    left, there = (one.square().sum(2, keepdim=True) for one in (centred, x))
    return torch.where(left > (4 * torch.finfo(x.dtype).eps) ** 2 * there, centred, torch.zeros_like(x))


def _norm(value: Tensor) -> Tensor:
    """|value| of each sample [B]; its gradient at 0 is 0."""
    squares = value.square().sum((1, 2, 3))
    return squares.clamp(min=torch.finfo(squares.dtype).tiny).sqrt()


def _require_alike(first: Tensor, second: Tensor) -> None:
    if first.shape != second.shape:
        raise unlike(x=first, y=second)
