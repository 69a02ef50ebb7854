"""Curves of several runs as an image by matplotlib, an extra (ganvas[plot])."""

from __future__ import annotations

import io
import logging
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ganvas.compare.show.chart import BAND, DASHES, FAINT, FEW, ON_WHITE, WIDTH, Chart, count
from ganvas.errors import missing_extra
from ganvas.files.text import one_line
from ganvas.files.write import write_bytes
from ganvas.functional.cache import cache_dir

_MOST_IN_LEGEND = 16
_MOST_NUMBERS = 24
_COLUMNS = 3


def require_matplotlib(of: tuple[str, object] | None = None) -> None:
    """Raises OptionError where the extra is missing, under the option and value ``of`` that need it.

    Fonts found by it are kept in ganvas' cache folder.
    """
    os.environ.setdefault("MPLCONFIGDIR", str(cache_dir() / "matplotlib"))
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # that it builds its list of fonts is no news
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise missing_extra("plot", "matplotlib", of) from error


def draw(charts: Sequence[Chart], labels: Sequence[str], out: Path, numbers: Sequence[str] = ()) -> None:
    """Writes the image: one panel a chart, one colour and dash a variant; all share one x axis.

    Args:
        charts: of one x axis; may be empty where there are numbers.
        labels: of the variants.
        out: .png, .pdf or .svg.
        numbers: lines of text below the panels, of what has one point.

    Raises:
        OptionError: matplotlib is missing; OSError where the file cannot be written.
    """
    columns = max(1, min(_COLUMNS, len(charts)))
    rows = -(-len(charts) // columns)
    said = [legible(one) for one in numbers[:_MOST_NUMBERS]]
    if len(numbers) > _MOST_NUMBERS:
        said.append(f"and {len(numbers) - _MOST_NUMBERS} more numbers")
    text = 0.3 * min(len(labels), _MOST_IN_LEGEND) + 0.2 * len(said)  # inches

    def fill(figure: Any) -> None:
        axes: Any = []
        if charts:
            axes = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
        for number, (axis, chart) in enumerate(zip(axes, charts, strict=False)):
            _panel(axis, chart, lowest=number + columns >= len(charts))
        for axis in axes[len(charts) :]:
            axis.set_visible(False)
        if said:
            figure.supxlabel("\n".join(said), x=0.01, ha="left", fontsize=9)
        _legend(figure, labels, "outside upper left" if said else "outside lower left")

    save_figure(out, (5 * columns, 3.4 * rows + text), fill)


def save_figure(out: Path, inches: tuple[float, float], fill: Callable[[Any], None]) -> None:
    """Writes a figure of this size that ``fill`` draws.

    Raises:
        OptionError: matplotlib is missing; OSError where the file cannot be written.
    """
    require_matplotlib()
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # A run's name is text and never a formula; letters without a glyph are drawn as boxes, without a word.
    with matplotlib.rc_context({"text.parse_math": False, "text.usetex": False}), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        figure = Figure(figsize=inches, dpi=120)
        FigureCanvasAgg(figure)
        figure.set_layout_engine("constrained")
        fill(figure)
        content = io.BytesIO()  # of a file that fails, matplotlib makes errors of another kind
        figure.savefig(content, format=out.suffix[1:])
    write_bytes(out, content.getvalue())


def _panel(axis: Any, chart: Chart, *, lowest: bool) -> None:
    """One chart; the lowest of a column carries the axis that all share."""
    for line in chart.lines:
        look = style(line.variant)
        if line.band is not None:
            axis.fill_between(line.curve[0], *line.band, color=look["color"], alpha=BAND, linewidth=0)
        if line.faint:
            look |= {"linewidth": 0.7, "alpha": FAINT, "zorder": 1.5}
        marker = "o" if len(line.curve[0]) <= FEW and not line.faint else None
        axis.plot(*line.curve, **look, marker=marker, markersize=4)
    axis.set_title(one_line(chart.title), fontsize=10)
    axis.tick_params(labelbottom=lowest)
    if lowest:
        axis.set_xlabel(chart.x_label)
    axis.set_ylabel(one_line(chart.y_label))
    axis.grid(alpha=0.3)
    axis.set_xlim(left=0)
    axis.xaxis.set_major_formatter(lambda value, _: count(value))


def _legend(figure: Any, labels: Sequence[str], where: str) -> None:
    from matplotlib.lines import Line2D

    shown = [legible(label) for label in labels[:_MOST_IN_LEGEND]]
    if len(labels) > _MOST_IN_LEGEND:
        shown[-1] += f" and {len(labels) - _MOST_IN_LEGEND} more"
    handles = [Line2D([], [], **style(index)) for index in range(len(shown))]
    figure.legend(handles, shown, loc=where, fontsize=9, frameon=False)


def style(variant: int) -> dict[str, Any]:
    """Colour and dash of a variant, from 0."""
    dash = DASHES[variant % len(DASHES)]
    return {
        "color": ON_WHITE[variant % len(ON_WHITE)],
        # matplotlib counts strokes in widths of the line
        "linestyle": (0, tuple(length / WIDTH for length in dash)) if dash else "-",
        "linewidth": 1.4,
    }


def legible(label: str) -> str:
    """A text of anybody as a label: matplotlib leaves those that begin with an underscore out of legends."""
    text = one_line(label, 120)
    return f" {text}" if text.startswith("_") else text
