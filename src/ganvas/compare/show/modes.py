"""Samples over the true modes of toy data, as an image by matplotlib, an extra (ganvas[plot])."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from ganvas.compare.show.chart import ON_WHITE
from ganvas.compare.show.plot import legible, save_figure

_CAPTURED, _MISSED, _POINT = ON_WHITE[0], ON_WHITE[1], "#5a5a5a"
_RADIUS = 3.0  # of a ring, in the mode's deviations; at least _LEAST
_LEAST = 0.05  # of the plane from -1 to 1, so that a narrow mode's ring is seen
_REACH = 1.25  # points are shown from -1.25 to 1.25; data lie in [-1, 1]
_INCHES = 2.6  # of a panel


class ModePanel(NamedTuple):
    """A run.

    Attributes:
        title: above it.
        points: samples [N, 2].
        modes: centres [M, 2] of the true modes.
        std: deviation of a mode.
        captured: bool [M].
        share: of the samples that are of a mode, in [0, 1].
    """

    title: str
    points: Tensor
    modes: Tensor
    std: float
    captured: Tensor
    share: float


def draw_modes(panels: Sequence[ModePanel], out: Path) -> None:
    """Writes the image: a panel a run; captured modes have a ring, missed ones a cross.

    What lies outside [-1.25, 1.25] is drawn on the edge.

    Raises:
        OptionError: ``plot`` where matplotlib is missing; OSError where the file cannot be written.
    """
    columns = len(panels)
    if columns > 4:  # the fewest empty places, of these the widest
        columns = max(range(3, 7), key=lambda width: (-(-len(panels) % width), width))
    rows = -(-len(panels) // columns)

    def fill(figure: Any) -> None:
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for axis, one in zip(axes, panels, strict=False):
            _panel(axis, one)
        for axis in axes[len(panels) :]:
            axis.set_visible(False)
        _legend(figure)

    width = max(_INCHES * columns, 4.6)
    save_figure(out, (width, (_INCHES + 0.7) * rows + 0.4), fill)


def _panel(axis: Any, one: ModePanel) -> None:
    from matplotlib.collections import EllipseCollection

    finite = one.points[one.points.isfinite().all(1)].clamp(-_REACH, _REACH)
    axis.scatter(*finite.T.tolist(), s=2, color=_POINT, alpha=0.6, linewidths=0, rasterized=True)
    centres = one.modes[one.captured]
    size = [2 * max(_RADIUS * one.std, _LEAST)] * len(centres)
    rings = EllipseCollection(
        size, size, [0.0] * len(size), units="xy", facecolors="none", edgecolors=_CAPTURED, linewidths=1.2,
        offsets=centres.tolist(), offset_transform=axis.transData,
    )  # fmt: skip
    axis.add_collection(rings)
    missed = one.modes[~one.captured]
    axis.scatter(*missed.T.tolist(), s=36, marker="x", color=_MISSED, linewidths=1.6, zorder=3)
    axis.set(xlim=(-_REACH, _REACH), ylim=(-_REACH, _REACH), aspect="equal", xticks=[], yticks=[])
    counts = f"{int(one.captured.sum())} of {len(one.modes)} modes, {one.share:.0%} of samples in one"
    axis.set_title(f"{_broken(legible(one.title))}\n{counts}", fontsize=8)


def _broken(title: str, width: int = 38) -> str:
    """In lines of about so many letters, as narrow panels need."""
    import textwrap

    return "\n".join(textwrap.wrap(title, width)) or title


def _legend(figure: Any) -> None:
    from matplotlib.lines import Line2D

    looks: list[tuple[str, dict[str, Any]]] = [
        ("sample", {"marker": "o", "color": _POINT, "markersize": 3}),
        ("mode captured", {"marker": "o", "markerfacecolor": "none", "color": _CAPTURED, "markersize": 9}),
        ("mode missed", {"marker": "x", "color": _MISSED, "markersize": 7}),
    ]
    handles = [Line2D([], [], linestyle="none", label=label, **look) for label, look in looks]
    figure.legend(handles=handles, loc="outside lower center", fontsize=9, frameon=False, ncols=3)
