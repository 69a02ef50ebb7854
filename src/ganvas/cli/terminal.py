"""How the commands show values and tables; a run's texts may come from anyone."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ganvas.files.text import one_line, screen_size

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_WIDE = 160  # letters, where nobody's terminal limits a table


def printable(text: str, longest: int = 200) -> Text:
    """:func:`one_line` for rich, which reads no markup in it."""
    from rich.text import Text

    return Text(one_line(text, longest))


def command_line(*words: object) -> str:
    """``ganvas WORDS``, as a shell takes it."""
    return shlex.join(["ganvas", *map(str, words)])


def console() -> Console:
    from rich.console import Console

    class OfCommand(Console):
        def on_broken_pipe(self) -> None:
            # rich would end with exit code 1; a command ends as all do whose reader is gone
            raise sys.exception() or BrokenPipeError()

    width, height = screen_size()
    return OfCommand(width=width if sys.stdout.isatty() else _WIDE, height=height)


def make_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    title: str | None = None,
    caption: str | None = None,
    keep_first: bool = False,
    fold: bool = False,
) -> Table:
    """A table of short lines; this file alone gives texts to rich.

    Args:
        keep_first: the first column is not wrapped: it is there to be copied.
        fold: nothing is cut off.
    """
    from rich.table import Table

    heading = None if title is None else printable(title)
    table = Table(title=heading, title_justify="left", title_style="bold", caption=caption)
    for column in columns:
        table.add_column(printable(column), overflow="fold" if fold else "ellipsis")
    table.columns[0].no_wrap = keep_first
    for row in rows:
        table.add_row(*map(printable, row))
    return table


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], **how: Any) -> None:
    """Prints :func:`make_table`'s."""
    console().print(make_table(columns, rows, **how))


def print_wrapped(text: str, longest: int = 500) -> None:
    """Prints a text in lines that end between words."""
    console().print(printable(text, longest))


def format_metrics(
    metrics: dict[str, Any], protocols: Mapping[str, str] | None = None, main: str | None = None
) -> str:
    """The metrics that a table has room for; the others are in status.json and evaluations.jsonl.

    Args:
        protocols: metric -> its protocol in short (see ganvas.run.folder.short_protocol).
        main: what the run is judged by, which comes first.
    """
    metrics = {name: value for name, value in metrics.items() if value is not None}
    usual = dict.fromkeys([main, "fid", "bits_per_dim", "psnr", "perplexity", "codes_used"])
    shown = [name for name in usual if name is not None and name in metrics]
    said = protocols or {}
    return ", ".join(
        format_metric(name, metrics[name], said.get(name)) for name in shown or list(metrics)[:2]
    )


def format_metric(name: str, value: float, protocol: str | None, *, width: int = 0) -> str:
    """``fid 1.575 (pixels, val, 2000)``."""
    return f"{name:{width}} {value:.4g}" + (f" ({one_line(protocol)})" if protocol else "")


def format_duration(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3 h 5 min``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def format_estimate(seconds: float | None, runs: int, how: str) -> str:
    """How long a sweep takes (``how``: about, at most), by the pace of so many finished runs."""
    if seconds is None:
        return "time: not known; no finished run of such a model and data lies under paths.output_dir"
    pace = f"by the pace of {runs} finished runs of such models and data"
    return f"time: {how} {format_duration(seconds)}, {pace}"
