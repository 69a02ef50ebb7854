"""Opus and Vorbis in Ogg files by libsndfile, a file for each sound; every byte of a file counts."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ganvas.modality.interface import Modality


class SoundCodec(NamedTuple):
    """A format of sound files.

    Attributes:
        name: for people.
        subtype: libsndfile's name of it, in Ogg.
        levels: of libsndfile's ``compression_level``, from few bits to many; Opus at 1 has its least.
        rates: samples a second that it takes; None: any.
    """

    name: str
    subtype: str
    levels: tuple[float, ...]
    rates: tuple[int, ...] | None


CODECS = (
    SoundCodec("Opus", "OPUS", (1.0, 0.99, 0.98, 0.96, 0.92), (8000, 12000, 16000, 24000, 48000)),
    SoundCodec("Vorbis", "VORBIS", (1.0, 0.8, 0.6), None),
)


class ClipPoint(NamedTuple):
    """What a setting takes, and what it makes of the clips.

    Attributes:
        setting: for people.
        bits: in a unit of the modality's, of sounds kilobits a second.
        distances: the modality's measures by name, means weighted by the clips' lengths.
    """

    setting: str
    bits: float
    distances: dict[str, float]


def measure(
    sounds: Iterable[Tensor],
    modality: Any,
    codec: SoundCodec,
    level: float,
    also: Callable[[Tensor, Tensor], None] | None = None,
) -> ClipPoint:
    """Writes each sound and reads it again.

    Args:
        sounds: int16 [C, T] each, at least one.
        modality: a :class:`ganvas.modality.sound.Sound`.
        level: one of the codec's.
        also: takes each sound and what is read of it.
    """
    size = length = 0
    sums: dict[str, float] = {}
    for sound in sounds:
        made, taken = coded_again(sound, modality.rate, codec, level)
        size += taken
        add_distances(sums, modality, sound, made)
        if also is not None:
            also(sound, made)
        length += sound.shape[1]
    means = {name: value / length for name, value in sums.items()}
    return ClipPoint(f"level {level:g}", 8 * size / 1000 / (length / modality.rate), means)


def coded_again(sound: Tensor, rate: int, codec: SoundCodec, level: float) -> tuple[Tensor, int]:
    """A sound int16 [C, T] as the codec's file gives it back, of the same shape, and the file's bytes."""
    import soundfile

    file, count = io.BytesIO(), sound.shape[1]
    options = {"format": "OGG", "subtype": codec.subtype, "compression_level": level}
    soundfile.write(file, sound.T.numpy(), rate, **options)
    size = len(file.getvalue())
    file.seek(0)
    found, read_rate = soundfile.read(file, dtype="int16", always_2d=True)
    assert read_rate == rate, (codec.name, read_rate)
    made = np.zeros((count, sound.shape[0]), np.int16)  # a decoder may end a little sooner or later
    made[: len(found)] = found[:count]
    return torch.from_numpy(made.T.copy()), size


def add_distances(sums: dict[str, float], modality: Modality, original: Tensor, made: Tensor) -> None:
    """Adds to each measure's sum what it is of stored [C, T], times T."""
    x, y = (modality.to_model(side[None]).double() for side in (original, made))
    for one in modality.measures(original.shape):
        sums[one.name] = sums.get(one.name, 0.0) + float(one.of(x, y)) * original.shape[-1]
