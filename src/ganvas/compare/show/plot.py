"""Curves of several runs as an image by matplotlib, an extra (ganvas[plot])."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganvas.compare.show.svg import Line
from ganvas.errors import OptionError
from ganvas.functional.cache import cache_dir

# Eight colours that people with any colour vision tell apart on white, each with a contrast of 3 or more.
_COLOURS = ("#0072b2", "#c04f00", "#00795a", "#a8487f", "#7a6200", "#1b1b1b", "#6b4fc0", "#b3261e")
_DASHES = ("-", "--", ":", "-.")
_FEW = 12  # points; a line of so few shows them
_MOST_IN_LEGEND = 16
_COLUMNS = 3


def require_matplotlib() -> None:
    """Raises OptionError where the extra is missing. Fonts found by it are kept in ganvas' cache folder."""
    os.environ.setdefault("MPLCONFIGDIR", str(cache_dir() / "matplotlib"))
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # that it builds its list of fonts is no news
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise OptionError("plot", "matplotlib", "needs an extra; pip install 'ganvas[plot]'") from error


def draw(panels: Mapping[str, Sequence[Line]], labels: Sequence[str], out: Path) -> None:
    """Writes the image: one panel a tag, one line a run, one colour and dash a variant.

    Args:
        panels: tag -> its lines, at least one each.
        labels: of the variants.
        out: .png, .pdf or .svg.

    Raises:
        OptionError: ``plot`` where matplotlib is missing; OSError where the file cannot be written.
    """
    require_matplotlib()
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    # A run's name is text and never a formula; letters without a glyph are drawn as boxes, without a word.
    with matplotlib.rc_context({"text.parse_math": False, "text.usetex": False}), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        figure = Figure(figsize=(5 * columns, 3.4 * rows + 0.3 * min(len(labels), _MOST_IN_LEGEND)), dpi=120)
        FigureCanvasAgg(figure)
        figure.set_layout_engine("constrained")
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for axis, (tag, lines) in zip(axes, panels.items(), strict=False):
            _panel(axis, tag, lines)
        for axis in axes[len(panels) :]:
            axis.set_visible(False)
        _legend(figure, labels)
        figure.savefig(out)


def _panel(axis: Any, tag: str, lines: Sequence[Line]) -> None:
    for line in lines:
        marker = "o" if len(line.curve[0]) <= _FEW else None
        axis.plot(*line.curve, **_style(line.variant), marker=marker, markersize=4)
    axis.set_title(tag, fontsize=10)
    axis.set_xlabel("examples seen")
    axis.set_ylabel(tag.rpartition("/")[2])
    axis.grid(alpha=0.3)
    axis.xaxis.set_major_formatter(_examples)


def _legend(figure: Any, labels: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    shown = [_clean(label) for label in labels[:_MOST_IN_LEGEND]]
    if len(labels) > _MOST_IN_LEGEND:
        shown[-1] += f" and {len(labels) - _MOST_IN_LEGEND} more"
    handles = [Line2D([], [], **_style(index)) for index in range(len(shown))]
    figure.legend(handles, shown, loc="outside lower left", fontsize=9, frameon=False)


def _style(variant: int) -> dict[str, Any]:
    return {
        "color": _COLOURS[variant % len(_COLOURS)],
        "linestyle": _DASHES[variant % len(_DASHES)],
        "linewidth": 1.4,
    }


def _clean(label: str) -> str:
    """matplotlib leaves labels that begin with an underscore out of legends."""
    text = "".join(letter if letter.isprintable() else "?" for letter in label[:120])
    return f" {text}" if text.startswith("_") else text


def _examples(value: float, _: int) -> str:
    from ganvas.compare.show.svg import count

    return count(value)
