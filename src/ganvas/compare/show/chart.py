"""What a chart is, whoever draws it: lines and bands, colours and dashes, axes with their units.

A page draws it by ``svg.py``, a file by ``plot.py``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

# Eight colours that people with any colour vision tell apart, each with a contrast of at least 3 against its
# background; dashes tell them apart in print without colours.
ON_WHITE = ("#0072b2", "#c04f00", "#00795a", "#a8487f", "#7a6200", "#1b1b1b", "#6b4fc0", "#b3261e")
ON_DARK = ("#56b4e9", "#f08a3c", "#35c99b", "#e59cc9", "#f0e442", "#ececec", "#b6a2ff", "#ff8a80")
DASHES: tuple[tuple[float, ...], ...] = ((), (7, 3), (2, 3), (9, 3, 2, 3))  # strokes and gaps, of WIDTH
WIDTH = 1.8
BAND = 0.18  # opacity of a band
FAINT = 0.4  # opacity of a line behind others
FEW = 12  # points; a line of so few shows them

EXAMPLES = "examples seen"
_UNITS = {
    "psnr": "PSNR, dB",
    "examples_per_second": "examples / s",
    "perplexity": "perplexity, codes",
    "used": "codes used",
    "codes_used": "codes used",
    "dead_codes": "dead codes",
    "modes_covered": "modes covered",
    "bits_per_image": "bits an image",
    "bits_per_pixel": "bits a pixel",
    "bits_per_code": "bits a code",
    "bits_per_dim": "bits a dimension",
    "cross_entropy": "cross entropy, nats",
    "reverse_kl": "reverse KL, nats",
    "fid": "FID",
    "rfid": "rFID",
    "kid": "KID",
    "ssim": "SSIM",
    "mse": "MSE",
}


class Line(NamedTuple):
    """A curve: of a run, or the mean over the seeds of a variant.

    Attributes:
        name: what people read of it.
        variant: whose colour and dashes it has, from 0.
        curve: along the x axis, rising, and values, as many; finite.
        band: lower and upper edge at each point; None: no band.
        faint: drawn thin and behind the others.
    """

    name: str
    variant: int
    curve: tuple[Sequence[float], Sequence[float]]
    band: tuple[Sequence[float], Sequence[float]] | None = None
    faint: bool = False


class Chart(NamedTuple):
    """One panel.

    Attributes:
        title: above it, a tag.
        lines: at least one, of at least one point each.
        x_label: of the x axis, with its unit.
    """

    title: str
    lines: Sequence[Line]
    x_label: str = EXAMPLES

    @property
    def y_label(self) -> str:
        """The tag's last word, with its unit where it has one."""
        name = self.title.rpartition("/")[2]
        return _UNITS.get(name, name)


def limits(lines: Sequence[Line]) -> tuple[float, float]:
    """The y axis: from the lowest to the highest value of lines and bands, with a little air."""
    values = [y for line in lines for y in line.curve[1]]
    values += [y for line in lines if line.band for edge in line.band for y in edge]
    low, high = min(values), max(values)
    air = 0.05 * (high - low) if low < high else abs(low) * 0.1 or 1.0
    return low - air, high + air


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from low to high, at least one, at most about ``most``: steps of 1, 2 or 5 times 10^k."""
    span = high - low
    if not (span > 0 and math.isfinite(span)):
        return [low]
    step = 10.0 ** math.floor(math.log10(span / most))
    step = next((step * factor for factor in (1, 2, 5, 10) if span / (step * factor) <= most), step * 10)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [i * step for i in range(first, last + 1)] or [low]


def count(value: float) -> str:
    """A number of examples in short: 1500 as 1.5k."""
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:g}{letter}"
    return f"{value:g}"
