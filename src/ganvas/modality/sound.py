"""Sound: waves of one rate, stored in 16 bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor
from torch.nn.functional import adaptive_max_pool1d, pad

from ganvas.errors import require
from ganvas.functional.spectra import (
    BANDS,
    FLOOR,
    LIMIT,
    RESOLUTIONS,
    log_mel,
    log_mel_distance,
    mel_window,
    multi_resolution_stft_distance,
    si_sdr,
)
from ganvas.modality.interface import SHEETS, SMALLEST_VARIANCE, Clip, Measure, Modality
from ganvas.modality.sound_file import RATES, read_sound, why, write_sound

_WIDTH, _WAVE, _BINS = 256, 32, 128  # of a picture, pixels: columns, rows of the wave, rows of the spectrum
_RANGE = 80  # dB below a full-scale sine that are still seen
_SUMMARY_BANDS = 32
_MULTI_FLOOR = 1e-5  # least magnitude of the multi-resolution distance
MAX_SECONDS = 7200.0  # of a file that is read


class Sound(Modality):
    """Waves float32 [B, C, T] in [-1, 1], stored int16 [N, C, T]: x is the stored number / 32768.

    Args:
        rate: samples a second.
        channels: C, 1 or more.

    Raises:
        OptionError: an argument out of its range.
    """

    name = "sound"
    plural = "sounds"
    endings = (".wav", ".flac")
    reads = (".ogg", ".opus", ".mp3")
    sheets = (*SHEETS, ".wav")
    compared_as = "[-1, 1], as given"
    normalization = "samples are in [-1, 1]: numbers of 16 bits / 32768, channels first, at the data's rate"
    reports = {
        **{"si_sdr_db": "max", "log_mel_distance_db": "min", "multi_resolution_stft_distance": "min"},
        **{"bits_per_sound": None, "kilobits_per_second": None},
    }

    def __init__(self, rate: int, channels: int) -> None:
        low, high = RATES
        require(low <= rate <= high, "rate", rate, f"must be from {low} to {high} samples a second")
        require(channels >= 1, "channels", channels, "must be positive; 1 mono, 2 stereo")
        self.rate, self.channels = rate, channels

    def wrong_with(self, stored: Tensor) -> str | None:
        if stored.dtype is not torch.int16 or stored.ndim != 3:
            return f"is {stored.dtype} {list(stored.shape)} and must be int16 [N, C, T]"
        if stored.shape[1] != self.channels:
            return f"has {stored.shape[1]} channels and must have {self.channels}"
        return None if stored.shape[2] else "holds sounds of no samples"

    def to_model(self, stored: Tensor) -> Tensor:
        return stored.float() / 32768

    def to_stored(self, x: Tensor) -> Tensor:
        return (x.detach().float().nan_to_num() * 32768).round().clamp(-32768, 32767).to(torch.int16)

    def pictures(self, x: Tensor) -> Tensor:
        """uint8 [B, 1, 160, 256]: the wave above its spectrogram.

        Time runs to the right, frequency upwards from 0 to half the rate, black is 80 dB below a full-scale
        sine and white a full-scale one. The channels are mixed; what is no number is shown as silence.
        """
        wave = x.detach().float().cpu().mean(1).nan_to_num(0, 0, 0).clamp(-1, 1)  # [B, T]
        return torch.cat([_drawn_wave(wave), _spectrogram(wave, self.rate)], 1)[:, None]

    def clips(self, x: Tensor) -> Sequence[Clip]:
        waves = x.detach().float().cpu().nan_to_num(0, 0, 0).clamp(-1, 1)
        return [Clip(wave, self.rate) for wave in waves]

    def write(self, file: BinaryIO, ending: str, stored: Tensor) -> None:
        if stored.dtype is not torch.int16 or stored.ndim != 2:
            raise ValueError(f"stored of {stored.dtype} {list(stored.shape)}: must be int16 [C, T]")
        write_sound(file, ending, stored.cpu().T.contiguous().numpy(), self.rate)

    def write_several(
        self, file: BinaryIO, ending: str, stored: Tensor, beside: Tensor | None = None
    ) -> None:
        """One sound of all [N, C, T], a quarter of a second of silence behind each."""
        several = stored if beside is None else torch.stack([stored, beside], 1).flatten(0, 1)
        self.write(file, ending, pad(several, (0, self.rate // 4)).transpose(0, 1).flatten(1))

    def read(self, path: Path) -> Tensor:
        """int16 [C, T] of a wav, flac, ogg, opus or mp3 of any rate and channels, at the rate and channels.

        Raises:
            ValueError: what is wrong with the file.
        """
        try:
            found = read_sound(path, rate=self.rate, channels=self.channels, max_seconds=MAX_SECONDS)
        except OSError:
            raise
        except Exception as error:  # decoders raise almost anything on a damaged file
            raise ValueError(why(error)) from error
        return torch.from_numpy(found.samples).T.contiguous()

    def summary(self, x: Tensor, side: int) -> Tensor:
        """Mean and standard deviation over time of each of 32 mel bands' level, dB: 64 numbers a channel.

        Two waves that sound alike may have no value in common, and a second has thousands of them.
        """
        window = mel_window(self.rate)
        bands = min(_SUMMARY_BANDS, window // 8)  # of low rates no more than there are frequencies for
        level = log_mel(x.float(), self.rate, window, max(1, window // 4), bands)  # [B, C, bands, frames]
        deviation = level.var(3, correction=0).clamp(min=SMALLEST_VARIANCE).sqrt()
        return torch.cat([level.mean(3), deviation], 2).flatten(1)

    def summary_protocol(self, shape: Sequence[int], side: int) -> dict[str, object]:
        window = mel_window(self.rate)
        return {
            "name": "log_mel",
            "kept": "mean and standard deviation over time of each band's dB",
            "value_range": "[-1, 1], not clamped",
            "dtype": "float32",
            **self._mel(window, min(_SUMMARY_BANDS, window // 8)),
        }

    def units(self, shape: Sequence[int]) -> Mapping[str, float]:
        """Bits of a clip / (1000 seconds) are kilobits a second."""
        return {"kilobits_per_second": 1000 * shape[-1] / self.rate}

    def measures(self, shape: Sequence[int]) -> Sequence[Measure]:
        mel = self._mel(mel_window(self.rate), BANDS)
        stft = {
            "windows": list(RESOLUTIONS),
            "hops": [one // 4 for one in RESOLUTIONS],
            "floor": _MULTI_FLOOR,
            "source": "Yamamoto 2020, arXiv:1910.11480, eq. 5-7",
        }
        sdr = {"limit_db": LIMIT, "source": "Le Roux 2019, arXiv:1811.02508, eq. 5"}
        return (
            Measure("si_sdr_db", "max", sdr, lambda x, y: si_sdr(y, x)),
            Measure("log_mel_distance_db", "min", mel, lambda x, y: log_mel_distance(y, x, self.rate)),
            Measure("multi_resolution_stft_distance", "min", stft, _multi_resolution),
        )

    def _mel(self, window: int, bands: int) -> dict[str, object]:
        """What names the mel bands."""
        return {
            "rate": self.rate,
            "window": window,
            "hop": max(1, window // 4),
            "bands": bands,
            "low_hz": 0.0,
            "high_hz": self.rate / 2,
            "scale": "HTK",
            "floor": FLOOR,
        }


def _multi_resolution(x: Tensor, y: Tensor) -> Tensor:
    return multi_resolution_stft_distance(y, x, RESOLUTIONS, _MULTI_FLOOR)


def _drawn_wave(wave: Tensor) -> Tensor:
    """Waves [B, T] as uint8 [B, 32, 256]: from the least to the largest value of each column, in white."""
    top = adaptive_max_pool1d(wave, _WIDTH)
    bottom = -adaptive_max_pool1d(-wave, _WIDTH)  # [B, 256]
    first, last = (((1 - one) / 2 * (_WAVE - 1)).round()[:, None] for one in (top, bottom))
    rows = torch.arange(_WAVE)[:, None]
    return ((rows >= first) & (rows <= last)).to(torch.uint8) * 255


def _spectrogram(wave: Tensor, rate: int) -> Tensor:
    """Waves [B, T] as uint8 [B, 128, 256]: levels of 256 windows at equal distances, the lowest below."""
    window = max(2 * _BINS, mel_window(rate))
    hann = torch.hann_window(window)
    starts = torch.linspace(0, wave.shape[1] - 1, _WIDTH).round().long()
    places = starts[:, None] + torch.arange(window)  # [256, window], of the padded wave
    frames = pad(wave, (window // 2, window))[:, places] * hann
    level = torch.fft.rfft(frames).abs() * (2 / hann.sum())  # [B, 256, window / 2 + 1]
    level = adaptive_max_pool1d(level[..., 1:], _BINS)  # loudest of the frequencies that a row stands for
    decibel = 20 * level.clamp(min=1e-12).log10()
    shade = ((decibel / _RANGE + 1).clamp(0, 1) * 255).round().to(torch.uint8)
    return shade.transpose(1, 2).flip(1)
