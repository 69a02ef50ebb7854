"""Numbers of one sample in words: how near it is to its original, what it costs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

from ganvas.play.work.autoencoder import Bits

_SHORT = {"psnr", "ssim", "ms", "si", "sdr", "stft"}  # words that are first letters alone


def said_quality(quality: Mapping[str, float]) -> list[str]:
    """Each metric by its name as it is reported, dB behind the number; what is no number is left out.

    ``{"psnr": 20.0}`` is told as ``PSNR 20.00 dB``, of equal samples (an infinite one) as ``no error``.
    """
    found = []
    for name, value in quality.items():
        if math.isinf(value):
            found.append("no error")
        elif not math.isnan(value):
            in_db = name.endswith("_db") or name == "psnr"
            words = _words(name.removesuffix("_db"))
            found.append(f"{words} {value:.2f} dB" if in_db else f"{words} {value:.3f}")
    return found


def _words(name: str) -> str:
    """``si_sdr`` as ``SI-SDR``, ``log_mel_distance`` as ``log mel distance``."""
    parts = name.split("_")
    shown = [part.upper() if part in _SHORT else part for part in parts]
    joints = ["-" if {a, b} <= _SHORT else " " for a, b in pairwise(parts)]
    return "".join(word + joint for word, joint in zip(shown, [*joints, ""], strict=True))


def said_bits(bits: Bits, units: Mapping[str, float]) -> list[str]:
    """What codes cost, and all that is known of the sample by its unit: ``1.25 kilobits per second``.

    Args:
        units: of the modality, name to divisor.
    """
    found = [f"{bits.fixed:,.0f} bits"]
    if bits.prior is not None:
        bound = "at most " if bits.is_bound else ""
        found.append(f"{bound}{bits.prior:,.1f} bits under the prior")
    if bits.rest is not None:
        found.append(f"{bits.rest:,.0f} bits that the decoder leaves")
    what = "in all " if bits.rest is not None else ""
    found += [f"{what}{bits.whole / size:.3g} {name.replace('_', ' ')}" for name, size in units.items()]
    return found
