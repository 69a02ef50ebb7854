"""A search as images, by matplotlib (ganvas[plot])."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ganvas.compare.show.plot import require_matplotlib

_BLUE, _ORANGE, _GREY = "#0072b2", "#c04f00", "#7a7a7a"
_MOST_BARS = 20


def draw_history(found: dict[str, Any], out: Path) -> None:
    """Each objective's value against the trial's number, with the best so far as a line.

    Args:
        found: the study's summary (report.py).

    Raises:
        OptionError: ``plot`` where matplotlib is missing; OSError where the file cannot be written.
    """
    objectives, history = found["objectives"], found["history"]
    with _figure(6.4, 3.6 * len(objectives), len(objectives), out) as axes:
        for place, (axis, objective) in enumerate(zip(axes, objectives, strict=True)):
            for state, colour, marker in (("complete", _BLUE, "o"), ("pruned", _GREY, "x")):
                told = [one for one in history if one["state"] == state and one["values"]]
                numbers, values = [one["number"] for one in told], [one["values"][place] for one in told]
                if told:
                    axis.scatter(numbers, values, s=18, c=colour, marker=marker, label=state)
            line = [one for one in history if one["best"][place] is not None]
            numbers, values = [one["number"] for one in line], [one["best"][place] for one in line]
            axis.step(numbers, values, where="post", color=_ORANGE, linewidth=1.4, label="best so far")
            for one in history:
                if one["state"] == "fail":
                    axis.axvline(one["number"], color=_GREY, linewidth=0.6, linestyle=":")
            axis.set_xlabel("trial (dotted: failed)")
            axis.set_ylabel(f"{objective['metric']} ({objective['mode']})")
            axis.grid(alpha=0.3)
            if history:
                axis.legend(fontsize=8, frameon=False)


def draw_importances(found: dict[str, Any], out: Path) -> None:
    """Each key's share in reaching the best tenth, one panel an objective; no image where none is known."""
    known = {metric: shares for metric, shares in found["importance"].items() if shares}
    if not known:
        require_matplotlib()
        out.unlink(missing_ok=True)
        return
    bars = min(_MOST_BARS, max(map(len, known.values())))
    with _figure(6.4, (0.9 + 0.32 * bars) * len(known), len(known), out) as axes:
        for axis, (metric, shares) in zip(axes, known.items(), strict=True):
            names = list(shares)[:_MOST_BARS][::-1]
            axis.barh(names, [shares[name] for name in names], color=_BLUE)
            axis.set_xlim(0, 1)
            axis.set_xlabel(f"importance for {metric}")
            axis.grid(axis="x", alpha=0.3)


@contextmanager
def _figure(width: float, height: float, panels: int, out: Path) -> Iterator[Any]:
    require_matplotlib()
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # A key is text and never a formula.
    with matplotlib.rc_context({"text.parse_math": False, "text.usetex": False}):
        figure = Figure(figsize=(width, height), dpi=120)
        FigureCanvasAgg(figure)
        figure.set_layout_engine("constrained")
        yield figure.subplots(panels, 1, squeeze=False).ravel()
        figure.savefig(out)
