"""What ``ganvas compare`` says, as rows, charts and images for a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ganvas.compare.comparison import Comparison, protocol_values
from ganvas.compare.curves import Curve, apart, equal_curves, read_curves, sensible_tags, thinned
from ganvas.compare.find import find_runs
from ganvas.compare.protocol import parse_filters
from ganvas.compare.rows import RunMetrics, read_metrics
from ganvas.compare.sets import compare
from ganvas.compare.show.images import NOTHING, Beside, Grid, grids_of, read_beside, read_grid
from ganvas.compare.show.svg import Line, panel
from ganvas.compare.show.table import against_above, examples, heading, mean_and_half
from ganvas.files.text import one_line

MOST_RUNS = 60  # whose curves are read
_MOST_POINTS = 400  # of a line
_MOST_PANELS = 6


def compare_words(
    words: Sequence[str],
    output_dir: Path,
    *,
    by: str | None = None,
    protocol: Sequence[str] = (),
    rank: bool = True,
) -> list[Comparison]:
    """As ``ganvas compare`` with these words and options.

    Raises:
        OptionError: what that refuses, by the options' names there.
    """
    filters = parse_filters(protocol)
    folders = find_runs(words, output_dir, at_least=2 if rank else 1)
    return compare([read_metrics(one) for one in folders], by=by, filters=filters, rank=rank)


class Column(NamedTuple):
    """A column of a table: its key in the rows, its heading, and whether it holds numbers."""

    key: str
    heading: str
    is_number: bool


@dataclass(frozen=True)
class Table:
    """A comparison's variants, a row each.

    Attributes:
        columns: in order; keys are ours, headings anybody's.
        rows: by a column's key what sorts (a number, a text or None), and by ``KEY_shown`` what is shown.
    """

    columns: list[Column]
    rows: list[dict[str, Any]]


def table(result: Comparison) -> Table:
    """One row a variant; ``row['index']`` is its place in ``result.variants``, and so its colour."""
    rank = [Column("rank", "rank", is_number=True)] if result.ranked else []
    above = [Column("above", "against the rank above", is_number=False)] if result.ranked else []
    metrics = [
        Column(f"m{i}", heading(result, name), is_number=True) for i, name in enumerate(result.metrics)
    ]
    keys = [Column(f"p{i}", name, is_number=False) for i, name in enumerate(result.differing)]
    plain = [
        Column("variant", "variant", is_number=False),
        Column("seeds", "seeds", is_number=True),
        Column("examples", "examples", is_number=True),
    ]
    rows = []
    for index, one in enumerate(result.variants):
        row: dict[str, Any] = {"index": index}
        _put(row, "rank", one.rank, str(one.rank or "-"))
        _put(row, "variant", one.label, one_line(one.label, 2000))
        _put(row, "seeds", len(one.members), str(len(one.members)))
        _put(row, "examples", one.examples[1], examples(one))
        for i, name in enumerate(result.metrics):
            summary = one.summaries.get(name)
            mean = summary.mean if summary is not None else math.nan
            _put(row, f"m{i}", mean if math.isfinite(mean) else None, mean_and_half(summary))
        _put(row, "above", one.p, against_above(one))
        for i, value in enumerate(protocol_values(one, result.differing)):
            _put(row, f"p{i}", value, one_line(value, 2000))
        rows.append(row)
    columns = [*rank, *plain, *metrics, *above, *keys]
    return Table([column._replace(heading=one_line(column.heading)) for column in columns], rows)


def _put(row: dict[str, Any], key: str, value: Any, shown: str) -> None:
    row[key], row[f"{key}_shown"] = value, shown


def runs_of(result: Comparison) -> list[tuple[int, RunMetrics]]:
    """(variant's index, run) of a comparison's first runs."""
    every = [(i, member.run) for i, one in enumerate(result.variants) for member in one.members]
    return every[:MOST_RUNS]


class Curves:
    """The curves of a comparison's runs, read once."""

    def __init__(self, result: Comparison) -> None:
        self._read: list[tuple[int, str, Mapping[str, Curve]]] = []
        self.problems: list[str] = []
        for index, run in runs_of(result):
            problems: list[str] = []
            self._read.append((index, run.name, read_curves(run.folder.path, problems)))
            self.problems += [f"{run.name}: {word}." for word in problems]
        drawn, _ = apart([curves for _, _, curves in self._read])
        self.tags = equal_curves([curves for _, _, curves in self._read], drawn)  # title -> tag

    @property
    def sensible(self) -> list[str]:
        """Titles of what a reader wants first."""
        first = sensible_tags(list(self.tags.values()), _MOST_PANELS)
        return [title for title, tag in self.tags.items() if tag in first]

    def panel(self, title: str) -> str:
        """One chart against examples seen as SVG; ``title`` is one of :attr:`tags`."""
        tag = self.tags[title]
        lines = [
            Line(name, index, thinned(curves[tag], _MOST_POINTS))
            for index, name, curves in self._read
            if tag in curves
        ]
        return panel(one_line(title), lines)


@dataclass(frozen=True)
class Shown:
    """A run's grid of samples beside those of others.

    Attributes:
        index: of its variant.
        run: its name.
        examples: that it had seen.
        grid: the image, or why there is none.
        beside: what is heard or read of the same samples.
    """

    index: int
    run: str
    examples: int | None
    grid: Grid
    beside: Beside = NOTHING


class Samples:
    """Grids of samples of a comparison's runs, by the examples that they had seen.

    Attributes:
        moments: numbers of examples at which all of the runs that have grids have one; where there are none,
            those at which some run has.
        is_common: which of the two.
    """

    def __init__(self, result: Comparison) -> None:
        self._runs = [(index, run, grids_of(run.folder.path)) for index, run in _first_seeds(result)]
        held = [set(grids) for _, _, grids in self._runs if grids]
        common = set.intersection(*held) if held else set()
        self.is_common = bool(common)
        self.moments = sorted(common or (set.union(*held) if held else set()))

    def at(self, examples: int) -> list[Shown]:
        """Of each run the grid at so many examples, or the nearest one, which says its own number."""
        found = []
        for index, run, grids in self._runs:
            if not grids:
                found.append(Shown(index, run.name, None, Grid(None, 0, 0, "no samples")))
                continue
            nearest = min(grids, key=lambda one: (abs(one - examples), one))
            folder = run.folder.path
            grid = read_grid(folder, grids[nearest])
            found.append(Shown(index, run.name, nearest, grid, read_beside(folder, grid)))
        return found


def _first_seeds(result: Comparison) -> list[tuple[int, RunMetrics]]:
    """Of each variant its first seed: a choice that looks at no metric."""
    return [(index, one.members[0].run) for index, one in enumerate(result.variants)][:MOST_RUNS]
