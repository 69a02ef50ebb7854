"""Files of sound, by soundfile (libsndfile) and soxr: of any kind, rate and number of channels to 16 bits.

Both are an extra: ``pip install 'ganvas[sound]'``.
"""

from __future__ import annotations

import functools
import importlib
import io
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from ganvas.errors import OptionError, missing_extra
from ganvas.files.read import NotRegularError, open_regular

ENDINGS = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3")
_FORMATS = ("WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3")  # libsndfile's names of what is in them
_BLOCK = 1 << 18  # samples of each channel that are held as float32 at a time
_ENDLESS = 1 << 62  # samples: the header does not say how many
_UNKNOWN_BYTES = 0x7FFFF000  # from here on, the length in a .wav is a writer's that could not go back
_EXPONENT_TYPES = ("FLOAT", "DOUBLE")  # whose values may lie beyond [-1, 1]
RATES = 1000, 768_000  # Hz

Samples = npt.NDArray[np.int16]


class Header(NamedTuple):
    """What a file says of itself: values a second, channels, and samples of each channel."""

    rate: int
    channels: int
    samples: int


class Sounding(NamedTuple):
    """A file's samples int16 [T, C], and what is remarkable in them, in a few words."""

    samples: Samples
    remarks: tuple[str, ...]


def require_sound(of: tuple[str, object] | None = None) -> None:
    """Raises OptionError where the extra is not installed; under the option and value ``of`` that need it."""
    for name in ("soundfile", "soxr"):
        try:
            _library(name)
        except OptionError as error:
            raise missing_extra("sound", name, of) from error


@functools.cache
def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:  # OSError: soundfile without libsndfile
        raise missing_extra("sound", name) from error


def versions() -> list[str]:
    """What decoded values rest on."""
    soundfile, soxr = _library("soundfile"), _library("soxr")
    return [f"libsndfile {soundfile.__libsndfile_version__}", f"soxr {soxr.__version__}"]


def read_header(path: Path) -> Header:
    """Of a file. Raises as :func:`read_sound`."""
    with open_regular(path) as file:
        return _opened(file)[1]


def read_sound(path: Path, *, rate: int, channels: int, max_seconds: float) -> Sounding:
    """A file's samples, resampled to ``rate`` where it has another one (soxr, high quality).

    A sound of another number of channels is their mean, repeated for each of ``channels``. 24 bits and floats
    are rounded to 16 bits, values beyond [-1, 1] are clamped.

    Args:
        max_seconds: of its own time; a longer one is refused: it may be a decompression bomb.

    Raises:
        Exception: of almost any kind: the file is empty, cut off, no sound, too long, or holds values that
            are no numbers. :func:`why` puts it into words.
    """
    with open_regular(path) as file:
        sound, header = _opened(file)
        with sound:
            blocks = list(_converted(sound, header, rate, channels, max_seconds))
            beyond = sound.subtype in _EXPONENT_TYPES and any(beyond for _, beyond in blocks)
    samples = np.concatenate([block for block, _ in blocks])
    if not len(samples):
        raise ValueError(f"it holds {header.samples} samples, too few for a rate of {rate}")
    remarks = ["with values beyond [-1, 1], which are clamped"] if beyond else []
    return Sounding(samples, (*remarks, *(["silent"] if not samples.any() else [])))


def write_sound(file: BinaryIO, ending: str, samples: Samples, rate: int) -> None:
    """Writes int16 [T, C] as 16-bit PCM to a file that can seek.

    Args:
        ending: ``.wav`` or ``.flac``.
    """
    kind = {".wav": "WAV", ".flac": "FLAC"}[ending]
    _library("soundfile").write(file, samples, rate, format=kind, subtype="PCM_16")


def to_int16(x: npt.NDArray[np.floating[Any]]) -> Samples:
    """x * 32768, rounded and clamped: 16-bit samples come back as they were."""
    samples: Samples = np.rint(x * 32768).clip(-32768, 32767).astype(np.int16)
    return samples


def why(error: Exception) -> str:
    """What is wrong with a file that :func:`read_sound` could not read."""
    if isinstance(error, NotRegularError):
        return "a pipe, a device or a folder, and no file"
    text = str(error) or type(error).__name__
    if type(error).__name__ != "LibsndfileError":
        return text
    said = str(getattr(error, "error_string", text))
    if "not recognised" in said or "unknown format" in said.lower():
        return "no sound of a kind that can be read"
    return f"damaged: {said.removeprefix('Error : ').rstrip('.')}"


def _opened(file: IO[bytes]) -> tuple[Any, Header]:
    """A SoundFile of an open file, which stays open; looked at before anything is decoded."""
    if not os.fstat(file.fileno()).st_size:
        raise ValueError("the file is empty")
    start = file.read(4)
    if start in (b"RIFF", b"OggS"):
        (_require_whole_wav if start == b"RIFF" else _require_whole_ogg)(file)
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    sound = _library("soundfile").SoundFile(file.fileno(), closefd=False)
    try:
        if sound.format not in _FORMATS:
            raise ValueError("no sound of a kind that can be read")
        if not RATES[0] <= sound.samplerate <= RATES[1]:
            raise ValueError(f"it has {sound.samplerate} samples a second")
        if sound.frames < 1:
            raise ValueError("it holds no samples")
    except BaseException:
        sound.close()
        raise
    return sound, Header(sound.samplerate, sound.channels, sound.frames)


def _converted(
    sound: Any, header: Header, rate: int, channels: int, max_seconds: float
) -> Iterator[tuple[Samples, bool]]:
    """int16 [t, channels], and whether a value lay beyond [-1, 1], block by block."""
    stream = None
    if rate != header.rate:
        stream = _library("soxr").ResampleStream(header.rate, rate, channels, dtype="float32")
    for block in _blocks(sound, header, max_seconds):
        if not np.isfinite(block).all():
            raise ValueError("it holds values that are no numbers (NaN or infinite)")
        beyond = bool(np.abs(block).max() > 1)
        alike = channels == header.channels
        mixed = block if alike else np.repeat(block.mean(1, keepdims=True), channels, 1)
        yield to_int16(mixed if stream is None else stream.resample_chunk(mixed)), beyond
    if stream is not None:
        yield to_int16(stream.resample_chunk(np.empty((0, channels), np.float32), last=True)), False


def _blocks(sound: Any, header: Header, max_seconds: float) -> Iterator[npt.NDArray[np.float32]]:
    """float32 [t, C]; all that the header says, or ValueError."""
    taken = 0
    while len(block := sound.read(_BLOCK, dtype="float32", always_2d=True)):
        taken += len(block)
        if taken > max_seconds * header.rate:
            raise ValueError(f"it is longer than {max_seconds:g} seconds; see max_seconds")
        yield block
        if len(block) < _BLOCK or taken == header.samples:
            break
    if taken < header.samples < _ENDLESS:
        raise ValueError(f"it is cut off, after {taken:,} of {header.samples:,} samples")


def _require_whole_wav(file: IO[bytes]) -> None:
    """ValueError where a chunk of a RIFF file ends behind the file: libsndfile reads what is there."""
    size, place = os.fstat(file.fileno()).st_size, 12
    while place + 8 <= size:
        name, length = struct.unpack("<4sI", os.pread(file.fileno(), 8, place))
        if name == b"data":
            missing = place + 8 + length - size
            if missing > 0 and length < _UNKNOWN_BYTES:
                raise ValueError(f"it is cut off: {missing:,} of {length:,} bytes are missing")
            return
        place += 8 + length + length % 2


def _require_whole_ogg(file: IO[bytes]) -> None:
    """ValueError where the last page of an Ogg file is no whole one: libsndfile reads what is there."""
    size, place, is_over = os.fstat(file.fileno()).st_size, 0, False
    file.seek(0)
    content = io.BufferedReader(io.FileIO(file.fileno(), closefd=False), 1 << 16)
    while place < size and not is_over:
        content.seek(place)
        head = content.read(27)
        table = content.read(head[26]) if len(head) == 27 else b""
        if len(head) < 27 or head[:4] != b"OggS" or len(table) < head[26]:
            raise ValueError("it is cut off, or damaged")
        place += 27 + len(table) + sum(table)
        is_over = place <= size and bool(head[5] & 4)  # its last page; what follows is of others
    if place > size:
        raise ValueError(f"it is cut off: {place - size:,} bytes of its last page are missing")
