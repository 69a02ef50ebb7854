"""A comparison as one HTML page that needs nothing beside itself: no network, no script."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape as escaped

from ganvas.compare.comparison import Comparison, Variant, protocol_values
from ganvas.compare.curves import Curve, apart, read_curves, sensible_tags
from ganvas.compare.show.images import NOTHING, Beside, Grid, newest_grid, read_beside
from ganvas.compare.show.lines import Recorded, make_charts
from ganvas.compare.show.svg import DARK, LIGHT, panel, style, swatch
from ganvas.compare.show.table import (
    against_above,
    examples,
    heading,
    mean_and_half,
    protocol_lines,
    title,
)
from ganvas.files.text import one_line
from ganvas.version import __version__

_MOST_PANELS = 6
_MOST_NUMBERS = 8  # tags of one point
_MOST_POINTS = 400  # of a line
_MOST_CURVES = 60  # runs
_MOST_IMAGES = 40_000_000  # letters of all images together
_GRID_WIDTH = 360  # pixels of the page: a smaller image is enlarged as long as it fits
_LARGEST_WHOLE = 700  # pixels; a wider image is made to fit
_HOW = (
    '<p class="soft">Mean ± half of the 95 % interval over seeds (Student\'s t). Neighbouring ranks are '
    "compared by Welch's test at 5 %, without correction for how many they are.</p>"
)
_POLICY = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"

_STYLE = """
body { background: var(--back); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto;
  max-width: 1280px; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .3rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
p, li { max-width: 80ch; } .soft, figcaption { color: var(--soft); }
.wide { overflow-x: auto; } table { border-collapse: collapse; }
th, td { border-bottom: 1px solid var(--rule); padding: .35rem .8rem .35rem 0; text-align: left;
  vertical-align: top; }
thead th { border-bottom: 2px solid var(--soft); } td.n, th.n { text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; } th[scope=row] { font-weight: 600; max-width: 60ch;
  min-width: 34ch; }
.grids { display: flex; flex-wrap: wrap; gap: 1.5rem; overflow-x: auto; }
figure { margin: 0; min-width: 16rem; width: min-content; } figure img { image-rendering: pixelated; }
figure img.large { height: auto; image-rendering: auto; width: min(700px, 90vw); }
figure audio { display: block; height: 36px; margin-top: .3rem; width: 100%; }
figure pre { background: color-mix(in srgb, var(--soft) 12%, transparent); border-radius: 4px;
  font-size: .8rem; margin: 0; max-height: 26rem; max-width: 90vw; overflow: auto; padding: .5rem;
  white-space: pre-wrap; width: 34rem; }
figcaption { font-size: .85rem; } figcaption b { color: var(--ink); }
section { border-top: 2px solid var(--rule); margin-top: 2.5rem; } h3 { font-size: 1rem; }
.charts { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(420px, 100%), 1fr)); }
.legend { list-style: none; padding: 0; }
"""


def page(*results: Comparison) -> str:
    """The whole page; everything that runs say is escaped, and a policy in it forbids what is not its own."""
    alone = len(results) == 1
    top = (
        title(results[0]) if alone else f"{len(results)} tables, one for each set of runs that share metrics"
    )
    names = ", ".join(result.by or "no metrics" for result in results)
    room = _Room(_MOST_IMAGES, _MOST_CURVES)
    sections = [_section(result, room, level=2 if alone else 3) for result in results]
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{_text(f'ganvas compare: {names}')}</title>\n<style>{_style()}</style>\n</head>\n<body>",
            f"<h1>{_text(top)}</h1>\n{_HOW}",
            *sections,
            f'<p class="soft">Made by ganvas {__version__}.</p>\n</body>\n</html>\n',
        ]
    )


@dataclass
class _Room:
    """What is left of a page's bounds, over all its tables."""

    letters: int  # of images
    curves: int  # runs


def _section(result: Comparison, room: _Room, *, level: int) -> str:
    """One table and what belongs to it; headings of this level."""
    notes = [*result.notes]
    charts = _charts(result, notes, room)  # which may add to the notes
    body = [_table(result), _grids(result, room), charts, _runs(result), _protocol(result)]
    said = "".join(f"<li>{_text(note)}</li>" for note in notes)
    whole = "\n".join([f"<ul>{said}</ul>" if said else "", *body])
    if level == 2:
        return whole
    inner = whole.replace("<h2>", "<h3>").replace("</h2>", "</h3>")
    return f"<section><h2>{_text(title(result))}</h2>\n{inner}</section>"


def _style() -> str:
    dark = f"@media (prefers-color-scheme: dark) {{ :root {{ {DARK} }} }}"
    return f"\n:root {{ color-scheme: light dark; {LIGHT} }}\n{dark}{_STYLE}{style()}"


def _text(value: object) -> str:
    """Text of anyone's for HTML: escaped, without letters that show nothing or turn the line around."""
    return escaped(one_line(str(value), 2000))


def _broken(value: object) -> str:
    """The same where a line is narrow: it may end between words, where one ends with a point or a sign."""
    return re.sub(r"([./=,]+)(?=[A-Za-z])", r"\1<wbr>", _text(value))


def _table(result: Comparison) -> str:
    rank, above = (["rank"], ["against the rank above"]) if result.ranked else ([], [])
    numeric = ["seeds", "examples", *(heading(result, name) for name in result.metrics)]
    head = _head(rank, "n") + _head(["variant"]) + _head(numeric, "n") + _head([*above, *result.differing])
    rows = []
    for index, one in enumerate(result.variants):
        cells = [str(len(one.members)), examples(one)]
        cells += [mean_and_half(one.summaries.get(name)) for name in result.metrics]
        ranks = [str(one.rank or "-")] if result.ranked else []
        rest = ([against_above(one)] if result.ranked else []) + protocol_values(one, result.differing)
        rows.append(
            f'<tr>{_cells(ranks, "n")}<th scope="row">{swatch(index)}{_broken(one.label)}</th>'
            f"{_cells(cells, 'n')}{_cells(rest)}</tr>"
        )
    return _whole_table("Metrics", head, rows)


def _runs(result: Comparison) -> str:
    head = _head(["run", "variant"]) + _head(["seed", "examples", *result.metrics], "n")
    rows = []
    for variant in result.variants:
        for member in variant.members:
            values = [member.metrics.get(name) for name in result.metrics]
            shown = ["" if value is None else f"{value:.6g}" for value in values]
            rows.append(
                f'<tr><th scope="row">{_broken(member.run.name)}</th>{_cells([variant.label])}'
                f"{_cells([str(member.run.seed), str(member.examples), *shown], 'n')}</tr>"
            )
    return _whole_table("Runs", head, rows)


def _protocol(result: Comparison) -> str:
    rows = [
        f'<tr><th scope="row">{_broken(key)}</th>{_cells([value])}</tr>'
        for key, value in protocol_lines(result)
    ]
    return _whole_table("Protocol of all metrics", _head(["key", "value"]), rows)


def _grids(result: Comparison, room: _Room) -> str:
    """The newest samples of each variant's first seed: a choice that looks at no metric."""
    grids = []
    for variant in result.variants:
        member = variant.members[0]
        found = newest_grid(member.run.folder.path)
        beside, word = read_beside(member.run.folder.path, found), found.told
        letters = sum(len(one) for one in _shown_of(found, beside))
        if letters > room.letters:
            found, beside = Grid(None, 0, 0, word), NOTHING
            word = f"{word} is left out: the page's images are too many"
        else:
            room.letters -= letters
        caption = f"<b>{_broken(variant.label)}</b><br>seed {_text(member.run.seed)}: {_text(word)}"
        shown = _samples(found, beside, _text(f"samples of {variant.label}"))
        grids.append(f"<figure>{shown}<figcaption>{caption}</figcaption></figure>")
    return f'<h2>Newest samples of the first seed</h2>\n<div class="grids">{"".join(grids)}</div>'


def _shown_of(grid: Grid, beside: Beside) -> list[str]:
    """What a page holds of them: a text stands for the picture of it."""
    shown = [beside.sound, grid.uri] if beside.text is None else [beside.text]
    return [one for one in shown if one is not None]


def _samples(grid: Grid, beside: Beside, told: str) -> str:
    """Samples as HTML; ``told`` is what they are, escaped."""
    if beside.text is not None:
        return f'<pre tabindex="0" aria-label="{told}">{escaped(beside.text)}</pre>'
    if grid.uri is None:
        return ""
    factor = max(1, _GRID_WIDTH // grid.width)  # a whole one, so that every pixel is a square of one size
    sides = f'width="{grid.width * factor}" height="{grid.height * factor}"'
    kind = "" if grid.width <= _LARGEST_WHOLE else ' class="large"'
    image = f'<img src="{grid.uri}" {sides}{kind} alt="{told}">'
    if beside.sound is None:
        return image
    return f'{image}<audio controls preload="metadata" src="{beside.sound}" aria-label="{told}"></audio>'


def _charts(result: Comparison, notes: list[str], room: _Room) -> str:
    runs = _curves(result.variants, notes, room)
    drawn, single = apart([curves for _, _, curves in runs])
    tags = sensible_tags(drawn, _MOST_PANELS)
    recorded = [Recorded(name, i, curves) for i, name, curves in runs]
    labels = [variant.label for variant in result.variants]
    charts_of_tags = make_charts(recorded, tags, labels, most_points=_MOST_POINTS, notes=notes)
    panels = [
        f'<div class="chart">{panel(one.title, one.lines, one.x_label)}</div>' for one in charts_of_tags
    ]
    legend = "".join(
        f"<li>{swatch(index)}{_broken(variant.label)}</li>" for index, variant in enumerate(result.variants)
    )
    charts = (
        "<h2>Curves</h2>\n"
        '<p class="soft">As recorded while training, under a protocol that may be another than the table\'s: '
        "means over seeds, and the 95 % interval of each mean (Student's t) as a band.</p>"
        f'\n<ul class="legend">{legend}</ul>\n<div class="charts">{"".join(panels)}</div>'
    )
    return "\n".join([charts if panels else "", _recorded_once(runs, sensible_tags(single, _MOST_NUMBERS))])


def _recorded_once(runs: list[tuple[int, str, dict[str, Curve]]], tags: list[str]) -> str:
    """What has one point in every run, as numbers: a chart of it would be a dot."""
    if not tags:
        return ""
    rows = []
    for _, name, curves in runs:
        seen = sorted({curves[tag][0][0] for tag in tags if tag in curves})
        values = [f"{curves[tag][1][0]:.5g}" if tag in curves else "" for tag in tags]
        cells = _cells([", ".join(map(str, seen)), *values], "n")
        rows.append(f'<tr><th scope="row">{_broken(name)}</th>{cells}</tr>')
    return _whole_table("Recorded once", _head(["run"]) + _head(["examples seen", *tags], "n"), rows)


def _curves(
    variants: list[Variant], notes: list[str], room: _Room
) -> list[tuple[int, str, dict[str, Curve]]]:
    """(variant's index, run's name, curves) of the first runs."""
    runs = [(i, member.run) for i, variant in enumerate(variants) for member in variant.members]
    if len(runs) > room.curves:
        notes.append(f"Curves are those of the page's first {_MOST_CURVES} runs.")
    read = []
    for i, run in runs[: room.curves]:
        problems: list[str] = []
        read.append((i, run.name, read_curves(run.folder.path, problems)))
        notes += [f"{run.name}: {word}." for word in problems]
    room.curves -= len(read)
    return read


def _head(names: list[str], kind: str = "") -> str:
    return "".join(f'<th scope="col"{_kind(kind)}>{_text(name)}</th>' for name in names)


def _cells(values: list[str], kind: str = "") -> str:
    shown = _text if kind == "n" else _broken
    return "".join(f"<td{_kind(kind)}>{shown(value)}</td>" for value in values)


def _kind(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def _whole_table(title: str, head: str, rows: list[str]) -> str:
    lines = "\n".join(rows)
    return (
        f'<h2>{title}</h2>\n<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{lines}\n</tbody></table></div>"
    )
