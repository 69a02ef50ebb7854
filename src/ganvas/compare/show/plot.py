"""Curves of several runs as an image by matplotlib, an extra (ganvas[plot])."""

from __future__ import annotations

import io
import logging
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganvas.compare.show.svg import Line
from ganvas.errors import OptionError
from ganvas.files.text import one_line
from ganvas.files.write import write_bytes
from ganvas.functional.cache import cache_dir

# Eight colours that people with any colour vision tell apart on white, each with a contrast of 3 or more.
_COLOURS = ("#0072b2", "#c04f00", "#00795a", "#a8487f", "#7a6200", "#1b1b1b", "#6b4fc0", "#b3261e")
_DASHES = ("-", "--", ":", "-.")
_FEW = 12  # points; a line of so few shows them
_MOST_IN_LEGEND = 16
_MOST_NUMBERS = 24
_COLUMNS = 3


def require_matplotlib() -> None:
    """Raises OptionError where the extra is missing. Fonts found by it are kept in ganvas' cache folder."""
    os.environ.setdefault("MPLCONFIGDIR", str(cache_dir() / "matplotlib"))
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # that it builds its list of fonts is no news
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise OptionError("plot", "matplotlib", "needs an extra; pip install 'ganvas[plot]'") from error


def draw(
    panels: Mapping[str, Sequence[Line]], labels: Sequence[str], out: Path, numbers: Sequence[str] = ()
) -> None:
    """Writes the image: one panel a tag, one line a run, one colour and dash a variant; all share one x axis.

    Args:
        panels: title -> its lines, at least one each; may be empty where there are numbers.
        labels: of the variants.
        out: .png, .pdf or .svg.
        numbers: lines of text below the panels, of what has one point.

    Raises:
        OptionError: ``plot`` where matplotlib is missing; OSError where the file cannot be written.
    """
    require_matplotlib()
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = max(1, min(_COLUMNS, len(panels)))
    rows = -(-len(panels) // columns)
    said = [legible(one) for one in numbers[:_MOST_NUMBERS]]
    if len(numbers) > _MOST_NUMBERS:
        said.append(f"and {len(numbers) - _MOST_NUMBERS} more numbers")
    text = 0.3 * min(len(labels), _MOST_IN_LEGEND) + 0.2 * len(said)  # inches
    # A run's name is text and never a formula; letters without a glyph are drawn as boxes, without a word.
    with matplotlib.rc_context({"text.parse_math": False, "text.usetex": False}), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        figure = Figure(figsize=(5 * columns, 3.4 * rows + text), dpi=120)
        FigureCanvasAgg(figure)
        figure.set_layout_engine("constrained")
        axes: Any = []
        if panels:
            axes = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
        for number, (axis, (tag, lines)) in enumerate(zip(axes, panels.items(), strict=False)):
            _panel(axis, tag, lines, lowest=number + columns >= len(panels))
        for axis in axes[len(panels) :]:
            axis.set_visible(False)
        if said:
            figure.supxlabel("\n".join(said), x=0.01, ha="left", fontsize=9)
        _legend(figure, labels, "outside upper left" if said else "outside lower left")
        content = io.BytesIO()  # of a file that fails, matplotlib makes errors of another kind
        figure.savefig(content, format=out.suffix[1:])
    write_bytes(out, content.getvalue())


def _panel(axis: Any, tag: str, lines: Sequence[Line], *, lowest: bool) -> None:
    """One tag; the lowest of a column carries the axis that all share."""
    for line in lines:
        marker = "o" if len(line.curve[0]) <= _FEW else None
        axis.plot(*line.curve, **style(line.variant), marker=marker, markersize=4)
    axis.set_title(one_line(tag), fontsize=10)
    axis.tick_params(labelbottom=lowest)
    if lowest:
        axis.set_xlabel("examples seen")
    axis.set_ylabel(one_line(tag.rpartition("/")[2]))
    axis.grid(alpha=0.3)
    axis.xaxis.set_major_formatter(_examples)


def _legend(figure: Any, labels: Sequence[str], where: str) -> None:
    from matplotlib.lines import Line2D

    shown = [legible(label) for label in labels[:_MOST_IN_LEGEND]]
    if len(labels) > _MOST_IN_LEGEND:
        shown[-1] += f" and {len(labels) - _MOST_IN_LEGEND} more"
    handles = [Line2D([], [], **style(index)) for index in range(len(shown))]
    figure.legend(handles, shown, loc=where, fontsize=9, frameon=False)


def style(variant: int) -> dict[str, Any]:
    """Colour and dash of a variant, from 0."""
    return {
        "color": _COLOURS[variant % len(_COLOURS)],
        "linestyle": _DASHES[variant % len(_DASHES)],
        "linewidth": 1.4,
    }


def legible(label: str) -> str:
    """A text of anybody as a label: matplotlib leaves those that begin with an underscore out of legends."""
    text = one_line(label, 120)
    return f" {text}" if text.startswith("_") else text


def _examples(value: float, _: int) -> str:
    from ganvas.compare.show.svg import count

    return count(value)
