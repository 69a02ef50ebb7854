"""Sounds decoded once, one behind the other in an array (:mod:`ganvas.data.files.array_cache`)."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ganvas.data.files.array_cache import Content, Decoded, Size
from ganvas.data.files.tree import FileKind
from ganvas.errors import OptionError
from ganvas.files.text import one_line
from ganvas.modality.sound_file import ENDINGS, RATES, Header, read_header, read_sound, versions, why

_VERSION = 1  # raised when decoding, or what a cache says, changes
_OTHERS = (".aac", ".aif", ".aifc", ".aiff", ".amr", ".au", ".caf", ".m4a", ".wma")
_LONGEST = 1 << 50  # samples; more are none, and a header that does not say how many

SOUNDS = FileKind(
    "a sound file",
    "sound files",
    lambda: ENDINGS,
    lambda suffix: f"conversion to {ENDINGS[0]}" if suffix in _OTHERS else None,
)


class Format(NamedTuple):
    """What all sounds of a cache have: samples a second, and channels."""

    rate: int
    channels: int


def format_of(facts: Mapping[str, object]) -> Format:
    """Raises ValueError where these can be no facts of a cache."""
    rate, channels = facts.get("rate"), facts.get("channels")
    if type(rate) is not int or type(channels) is not int or min(channels, rate) < 1:
        raise ValueError("does not say its rate and channels")
    return Format(rate, channels)


@dataclass(frozen=True, kw_only=True)
class Sounds(Content):
    """int16 [all samples, channels], file behind file.

    Args:
        rate: samples a second that all are resampled to; None takes that of the files, which must be one.
        channels: of all files; None likewise.
        mix_channels: whether files of other channels are mixed, or repeated, to these.
        max_seconds: a longer file counts as damaged.
    """

    rate: int | None
    channels: int | None
    mix_channels: bool
    max_seconds: float
    kind = SOUNDS
    dtype = np.dtype("<i2")
    ahead = 2 * (os.cpu_count() or 1)

    def key(self, *, skip: bool) -> Mapping[str, object]:
        options = {name: getattr(self, name) for name in ("rate", "channels", "mix_channels", "max_seconds")}
        # What is left out may be readable by another library.
        return {"version": _VERSION, "sound": options} | ({"formats": versions()} if skip else {})

    def facts(self, paths: Sequence[Path], root: Path) -> dict[str, object]:
        """Rate and channels; OptionError where the files have several and nothing says which."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = dict(zip(paths, pool.map(_header_or_none, paths), strict=True))
        headers = {
            one_line(str(path.relative_to(root))): header
            for path, header in found.items()
            if header is not None
        }
        if not headers:  # decoding says what is wrong with each
            return {"rate": self.rate or RATES[0], "channels": self.channels or 1}
        rates = _named({name: header.rate for name, header in headers.items()})
        channels = _named({name: header.channels for name, header in headers.items()})
        self._check_rates(rates)
        self._check_channels(channels)
        rate, usual = self.rate or next(iter(rates)), self.channels or next(iter(channels))
        samples = sum(
            min(header.samples, _LONGEST) * rate // header.rate + 1
            for header in headers.values()
            if header.samples <= header.rate * self.max_seconds
        )
        changed = {
            "resampled": sum(header.rate != rate for header in headers.values()),
            "mixed": sum(header.channels != usual for header in headers.values()),
        }
        return {"rate": rate, "channels": usual, "samples": samples, **changed}

    def row_shape(self, facts: Mapping[str, object]) -> tuple[int, ...]:
        return (format_of(facts).channels,)

    def size(self, paths: Sequence[Path], facts: Mapping[str, object]) -> Size:
        samples = facts.get("samples", 0)
        assert isinstance(samples, int)
        needed = 2 * samples * format_of(facts).channels
        shown = "null" if self.rate is None else self.rate
        return Size(needed, "rate", shown, "choose a lower rate")

    def read(self, path: Path, facts: Mapping[str, object]) -> Decoded:
        rate, channels = format_of(facts)
        found = read_sound(path, rate=rate, channels=channels, max_seconds=self.max_seconds)
        return Decoded(found.samples, found.remarks)

    def why(self, error: Exception) -> str:
        return why(error)

    def _check_rates(self, rates: dict[int, list[str]]) -> None:
        if self.rate is None and len(rates) > 1:
            reason = f"the files have several rates: {_told(rates, '{:,} Hz')}"
            raise OptionError("rate", "null", f"{reason}; data.rate={next(iter(rates))} resamples all")

    def _check_channels(self, channels: dict[int, list[str]]) -> None:
        if self.mix_channels or (len(channels) == 1 and self.channels in (None, *channels)):
            return
        mixed = "data.mix_channels=true mixes or repeats those of other files"
        if len(channels) > 1:
            reason = f"the files have several numbers of channels: {_told(channels, '{}')}"
            mixed = f"data.channels={min(channels)} {mixed}" if self.channels is None else mixed
        else:
            (only,) = channels
            reason = f"the files have {only} channel{'s' * (only > 1)}"
            mixed = f"data.channels={only}, or {mixed}"
        raise OptionError(
            "channels", "null" if self.channels is None else self.channels, f"{reason}; {mixed}"
        )


def _header_or_none(path: Path) -> Header | None:
    try:
        return read_header(path)
    except OptionError:  # the extra is missing
        raise
    except Exception:  # decoding says what is wrong
        return None


def _named(values: Mapping[str, int]) -> dict[int, list[str]]:
    """Value -> the files that have it, the most frequent value first."""
    counts = Counter(values.values())
    order = sorted(counts, key=lambda value: (-counts[value], value))
    return {value: [name for name, one in values.items() if one == value] for value in order}


def _told(named: Mapping[int, list[str]], form: str) -> str:
    """``8,000 Hz (a.wav and 3 more), 44,100 Hz (b.wav)``."""
    told = []
    for value, names in list(named.items())[:4]:
        more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
        told.append(f"{form.format(value)} ({names[0]}{more})")
    return ", ".join(told) + (f" and {len(named) - 4} others" if len(named) > 4 else "")
