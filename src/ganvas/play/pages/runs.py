"""The page of all runs: what they are, how far they are, what they made; live while they train."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nicegui import ui

from ganvas.files.text import one_line
from ganvas.play.catalogue import Catalogue
from ganvas.play.pages.frame import OF_A_RUN, address, pages_of
from ganvas.play.pages.parts import Work, told

_EVERY = 2.0  # seconds between looks at the runs
_FEW = 200  # runs; of more they are looked at less often
_FIRST = ("fid", "rfid", "bits_per_dim", "psnr", "accuracy")  # metrics that a line has room for
_MOST_METRICS = 2
_COLUMNS: list[dict[str, Any]] = [
    {"name": "preview", "label": "newest samples", "field": "preview", "align": "left"},
    {"name": "run", "label": "run", "field": "run", "align": "left", "sortable": True},
    {"name": "kind", "label": "model, data", "field": "kind", "align": "left", "sortable": True},
    {"name": "state", "label": "state", "field": "state", "align": "left", "sortable": True},
    {"name": "examples", "label": "examples seen", "field": "examples", "align": "right", "sortable": True},
    {"name": "metrics", "label": "metrics", "field": "metrics", "align": "left"},
]
# Vue's double braces make text of whatever a run says; attributes are bound, never joined to HTML.
_CELLS = {
    "preview": """<q-td :props="props"><a v-if="props.row.first" :href="props.row.first" tabindex="-1"
      aria-hidden="true"><img v-if="props.row.preview" :src="props.row.preview" class="preview"
      loading="lazy" alt=""></a></q-td>""",
    "run": """<q-td :props="props" class="variant" data-mark="run"><a v-for="one in props.row.pages"
      :key="one.to" :href="one.to" class="go">{{ one.title }}</a>
      <div>{{ props.row.run }}</div><div class="soft">{{ props.row.place }}</div></q-td>""",
    "state": """<q-td :props="props"><span
      :class="'state ' + props.row.state">{{ props.row.state }}</span></q-td>""",
    "examples": """<q-td :props="props">{{ Number(props.row.examples).toLocaleString('en') }}</q-td>""",
    "metrics": """<q-td :props="props" class="metrics"><div v-for="one in props.row.metrics"
      :key="one">{{ one }}</div></q-td>""",
}
STYLE = """
.runs { width: 100%; } .runs td { vertical-align: top; } .runs .preview { height: 72px; width: 72px;
  object-fit: cover; object-position: left top; image-rendering: pixelated; border-radius: 4px; }
.runs .variant { white-space: normal; overflow-wrap: anywhere; min-width: 12rem; }
.runs .metrics { white-space: normal; min-width: 12rem; font-variant-numeric: tabular-nums; }
.runs .go { color: var(--c0); font-weight: 600; margin-right: .8rem; }
.state { border-radius: 4px; padding: .1rem .45rem; border: 1px solid var(--rule); }
@media (max-width: 700px) { .runs thead { display: none; }
  .runs table, .runs tbody { display: block; } .runs tbody tr { border-bottom: 1px solid
  var(--rule); display: grid; grid-template-columns: 84px minmax(0, 1fr); height: auto !important;
  padding: .5rem 0; }
  .runs tbody td { border: 0 !important; grid-column: 2; height: auto !important; padding: 0 .3rem !important;
  text-align: left !important; } .runs tbody td:first-child { grid-column: 1; grid-row: 1 / 6; } }
.state.running { border-color: var(--c0); } .state.failed, .state.broken { border-color: var(--c7); }
"""


class RunsPage:
    """A table that is read again while the page is open.

    Args:
        catalogue: the runs.
        work: runs a function off the page, and gives what it returns.
    """

    def __init__(self, catalogue: Catalogue, work: Work) -> None:
        self.catalogue, self.work = catalogue, work
        ui.add_head_html(f"<style>{STYLE}</style>")
        with ui.row().classes("items-end tools w-full"):
            box = (
                ui.input("Filter by name, model, data, state")
                .classes("w-72")
                .props("clearable data-mark=filter")
            )
            self._count = ui.label().classes("soft numbers").props('role="status" data-mark=count')
        self._table = ui.table(
            columns=_COLUMNS, rows=[], row_key="key", pagination={"rowsPerPage": 20, "sortBy": None}
        )
        self._table.classes("runs").props("flat dense wrap-cells data-mark=runs")
        for name, cell in _CELLS.items():
            self._table.add_slot(f"body-cell-{name}", cell)
        box.bind_value_to(self._table, "filter")
        self._timer = ui.timer(_EVERY, self.look, immediate=False)

    async def look(self) -> None:
        """Reads the runs, and shows them as they are now."""
        with told():
            rows = [shown(row) for row in await self.work(self.catalogue.rows)]
            if rows != self._table.rows:
                self._table.rows = rows
            many = "1 run" if len(rows) == 1 else f"{len(rows)} runs"
            going = sum(row["state"] == "running" for row in rows)
            self._count.text = many + (f", {going} training now" if going else "")
            self._timer.interval = _EVERY * max(1.0, len(rows) / _FEW)


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A run's line as the table takes it: texts, and addresses that are quoted."""
    name = str(row["name"])
    pages = pages_of(set(row["can"])) if row["state"] != "broken" else []
    links = [{"title": OF_A_RUN[page][0], "to": address(page, name)} for page in pages]
    seen = row["examples_seen"] if isinstance(row["examples_seen"], int) else 0
    return {
        "key": name,
        "run": one_line(str(row["run"]), 300),
        "place": one_line(str(Path(name).parent), 300),
        "kind": one_line(f"{row['model']} on {row['data']}", 200),
        "state": one_line(str(row["state"]), 30),
        "examples": seen,
        "metrics": metrics_of(row),
        "pages": links,
        "first": links[0]["to"] if links else None,
        # the file's name only tells browsers that it is another one
        "preview": row["grid"] and f"/preview?run={quote(name, safe='')}&file={quote(row['grid'], safe='')}",
    }


def metrics_of(row: Mapping[str, Any]) -> list[str]:
    """The first metrics with their protocols in short: ``fid 1.575 (pixels, val, 2000)``."""
    metrics = row["metrics"] if isinstance(row["metrics"], Mapping) else {}
    numbers = {name: one for name, one in metrics.items() if isinstance(one, int | float)}
    order = [name for name in _FIRST if name in numbers] or list(numbers)
    said = row["protocols"]
    return [
        one_line(f"{name} {numbers[name]:.4g}" + (f" ({said[name]})" if said.get(name) else ""), 200)
        for name in order[:_MOST_METRICS]
    ]
