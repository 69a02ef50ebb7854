"""Rate-distortion curves as an image by matplotlib, an extra (ganvas[plot])."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ganvas.compare.show.plot import legible, save_figure, style

_MARKERS = "osD^vP*X"


class RateCurve(NamedTuple):
    """Points of one codec or run.

    Attributes:
        name: for the legend.
        is_run: runs are drawn before formats of image files, in strong lines.
        bits: an image, above 0.
        psnr: dB, finite.
    """

    name: str
    is_run: bool
    bits: Sequence[float]
    psnr: Sequence[float]


def draw_rates(curves: Sequence[RateCurve], out: Path, *, pixels: int, title: str) -> None:
    """Writes the image: PSNR against bits an image, of a logarithmic scale; bits a pixel above.

    Args:
        curves: at least one, of at least one point each.
        out: .png, .pdf or .svg.
        pixels: of an image.
        title: what was measured.

    Raises:
        OptionError: ``plot`` where matplotlib is missing; OSError where the file cannot be written.
    """

    def fill(figure: Any) -> None:
        axis: Any = figure.subplots()
        for number, curve in enumerate(curves):
            look = style(number) | ({} if curve.is_run else {"linewidth": 0.9, "alpha": 0.75})
            axis.plot(
                *(curve.bits, curve.psnr),
                **look,
                marker=_MARKERS[number % len(_MARKERS)],
                markersize=8 if curve.is_run else 4,
                label=legible(curve.name),
            )
        axis.set_xscale("log")
        axis.set_xlabel("bits an image")
        axis.set_ylabel("PSNR of the pooled error, dB")
        axis.set_title(legible(title), fontsize=10)
        axis.grid(alpha=0.3, which="both")
        above = axis.secondary_xaxis("top", functions=(lambda x: x / pixels, lambda x: x * pixels))
        above.set_xlabel("bits a pixel")
        for one in (axis.xaxis, above.xaxis):
            one.set_major_formatter(_number)
            one.set_minor_formatter(_number)
        figure.legend(loc="outside lower left", fontsize=9, frameon=False, ncols=2)

    save_figure(out, (8, 5.5 + 0.22 * len(curves)), fill)


class DistanceCurve(NamedTuple):
    """Points of one codec or run on clips of any length.

    Attributes:
        name: for the legend.
        is_run: runs are drawn in strong lines.
        bits: in one unit for all curves, above 0.
        distances: by name, as many.
    """

    name: str
    is_run: bool
    bits: Sequence[float]
    distances: dict[str, Sequence[float]]


def draw_distances(curves: Sequence[DistanceCurve], out: Path, *, unit: str, title: str) -> None:
    """Writes the image: a panel for each distance, against bits on a logarithmic scale.

    Args:
        curves: at least one, of at least one point each, all with the same distances.
        out: .png, .pdf or .svg.
        unit: of the bits.
        title: what was measured.

    Raises:
        OptionError, OSError: see :func:`draw_rates`.
    """
    names = list(curves[0].distances)

    def fill(figure: Any) -> None:
        panels: Any = figure.subplots(1, len(names), squeeze=False)[0]
        for axis, name in zip(panels, names, strict=True):
            for number, curve in enumerate(curves):
                look = style(number) | ({} if curve.is_run else {"linewidth": 0.9, "alpha": 0.75})
                axis.plot(
                    *(curve.bits, curve.distances[name]),
                    **look,
                    marker=_MARKERS[number % len(_MARKERS)],
                    markersize=8 if curve.is_run else 4,
                    label=legible(curve.name) if name == names[0] else None,
                )
            axis.set_xscale("log")
            axis.set_xlabel(unit)
            axis.set_ylabel(name.replace("_", " "))
            axis.grid(alpha=0.3, which="both")
            axis.xaxis.set_major_formatter(_number)
            axis.xaxis.set_minor_formatter(_number)
        figure.suptitle(legible(title), fontsize=10)
        figure.legend(loc="outside lower left", fontsize=9, frameon=False, ncols=2)

    save_figure(out, (4.5 * len(names), 4.5 + 0.22 * len(curves)), fill)


def _number(value: float, _: int) -> str:
    """Round numbers alone, 1, 2 and 5 times a power of ten."""
    return f"{value:g}" if f"{value:.2e}"[0] in "125" else ""
