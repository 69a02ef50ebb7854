"""The page of a comparison: the table that ``ganvas compare`` makes, curves, samples at equal examples."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nicegui import events, ui

from ganvas.compare.comparison import Comparison
from ganvas.compare.show.svg import swatch
from ganvas.compare.show.table import protocol_lines, title
from ganvas.files.text import one_line
from ganvas.play.pages.parts import Latest, Work, card, command_line, told
from ganvas.play.work.comparison import Curves, Samples, Shown, Table, compare_words, table

_LONGEST = 4000  # letters of what is typed
_FIRST_METRICS = 4  # columns of the table before others are chosen
_FEW = 3  # notes that stand open
_HOW = (
    "Mean ± half of the 95 % interval over seeds (Student's t); neighbouring ranks by Welch's test at 5 %. "
    "Click a heading to sort."
)


class ComparePage:
    """Runs side by side.

    Args:
        words: runs, globs, folders of runs, as the command takes them.
        output_dir: where runs are looked for by name.
        work: runs a function off the page, and gives what it returns.
    """

    def __init__(self, words: Sequence[str], output_dir: Path, work: Work) -> None:
        self.output_dir, self.work = output_dir, work
        self._comparing = Latest()  # two at once would mix their sections
        with card():
            with ui.row().classes("items-end tools"):
                self._runs = ui.input("Runs, globs or folders", value=shlex.join(words)).classes("grow")
                self._runs.props("data-mark=runs").on("keydown.enter", self.compare)
                self._by = ui.input("Ranked by (usual)").classes("w-40").props("data-mark=by")
                self._by.on("keydown.enter", self.compare)
                self._protocol = ui.input("Protocol key=value").classes("w-56").props("data-mark=protocol")
                self._protocol.on("keydown.enter", self.compare)
                self._rank = ui.checkbox("Rank", value=True).props("data-mark=rank")
                ui.button("Compare", on_click=self.compare).props("data-mark=compare")
            self._command = command_line().props("data-mark=command")
        self._sections = ui.element("div").classes("sections")

    async def compare(self) -> None:
        """Reads the runs, and shows what they say; what is refused leaves the page as it is."""
        await self._comparing.run(self._compare)

    async def _compare(self) -> None:
        with told():
            words = split_words(self._runs.value)
            by, protocol = self._by.value.strip() or None, split_words(self._protocol.value)
            options: dict[str, Any] = {"by": by, "protocol": protocol, "rank": bool(self._rank.value)}
            results = await self.work(compare_words, words, self.output_dir, **options)
            read = [(one, table(one), *(await self.work(_read, one))) for one in results]
            self._command.text = command(words, self.output_dir, **options)
            self._sections.clear()
            with self._sections:
                for result, made, curves, samples in read:
                    await _Section(result, made, curves, samples, self.work).start()


def _read(result: Comparison) -> tuple[Curves, Samples]:
    return Curves(result), Samples(result)


def split_words(text: str) -> list[str]:
    """Words as a shell parts them; of an open quote, as they stand."""
    try:
        return shlex.split(text[:_LONGEST])
    except ValueError:
        return text[:_LONGEST].split()


def command(
    words: Sequence[str], output_dir: Path, *, by: str | None, protocol: Sequence[str], rank: bool
) -> str:
    """The command line that says the same."""
    line = ["ganvas", "compare", *words, "--output-dir", str(output_dir)]
    line += ["--by", by] if by else []
    line += [word for one in protocol for word in ("--protocol", one)]
    return shlex.join([*line, *([] if rank else ["--no-rank"])])


class _Section:
    """One table and what belongs to it."""

    def __init__(self, result: Comparison, made: Table, curves: Curves, samples: Samples, work: Work) -> None:
        self.result, self.curves, self.samples, self.work = result, curves, samples, work
        self._latest = Latest()
        with card():
            ui.label(title(result)).classes("heading")
            ui.label(_HOW).classes("soft")
            _table(made)
            notes = [*result.notes, *curves.problems]
            if notes:
                with ui.expansion(f"{len(notes)} notes", value=len(notes) <= _FEW).classes("w-full"):
                    for note in notes:
                        ui.label(one_line(note, 2000)).classes("note")
            if result.protocol:
                with ui.expansion("Protocol of all metrics").classes("w-full"):
                    for key, value in protocol_lines(result):
                        ui.label(one_line(f"{key}: {value}", 2000)).classes("note")
        self._curves()
        self._samples()

    async def start(self) -> None:
        """Shows the newest samples."""
        if self.samples.moments:
            await self._show_samples()

    def _curves(self) -> None:
        titles = list(self.curves.tags)
        if not titles:
            return
        with card():
            ui.label("Curves").classes("heading")
            with ui.element("div").classes("legend"):
                for index, variant in enumerate(self.result.variants):
                    with ui.row().classes("items-center no-wrap"):
                        ui.html(swatch(index), sanitize=False)
                        ui.label(one_line(variant.label, 500))
            box = ui.select(
                titles, multiple=True, value=self.curves.sensible, label="Shown", on_change=self._choose
            )
            box.props("use-chips").classes("w-full").props("data-mark=curves")
            self._charts = ui.element("div").classes("charts")
            self._draw(self.curves.sensible)

    def _choose(self, event: events.ValueChangeEventArguments[Any]) -> None:
        self._draw(event.value)

    def _draw(self, titles: Sequence[str]) -> None:
        self._charts.clear()
        with self._charts:
            for one in titles:
                # the panel escapes what runs say
                ui.html(self.curves.panel(one), sanitize=False).classes("chart")

    def _samples(self) -> None:
        moments = self.samples.moments
        if not moments:
            return
        with card():
            ui.label("Samples of each variant's first seed").classes("heading")
            equal = "at equal examples" if self.samples.is_common else "at the nearest numbers of examples"
            ui.label(f"Side by side {equal}.").classes("soft")
            last = len(moments) - 1
            self._slider = ui.slider(
                min=0, max=max(last, 1), step=1, value=last, on_change=self._show_samples
            )
            self._slider.props("label-always=false markers").props("data-mark=moment").set_visibility(
                last > 0
            )
            self._slider.props["aria-label"] = "examples seen"
            self._moment = ui.label().classes("numbers").props("data-mark=examples")
            self._grids = ui.element("div").classes("figures grids")

    async def _show_samples(self) -> None:
        async def wish() -> None:
            moments = self.samples.moments
            examples = moments[min(int(self._slider.value), len(moments) - 1)]
            shown = await self.work(self.samples.at, examples)
            self._moment.text = f"{examples:,} examples seen"
            self._grids.clear()
            with self._grids:
                for one in shown:
                    self._grid(one)

        await self._latest.run(wish)

    def _grid(self, one: Shown) -> None:
        label = one_line(self.result.variants[one.index].label, 500)
        with ui.element("figure"):
            if one.beside.text is not None:
                with ui.element("pre").props("tabindex=0 data-mark=text"):
                    ui.label(one.beside.text)  # which is text, whatever is in it
            elif one.grid.uri is not None:
                image = ui.element("img").classes("pixels")
                image.props["src"], image.props["alt"] = one.grid.uri, f"samples of {label}"
            if one.beside.sound is not None:
                sound = ui.element("audio").props("controls data-mark=sound")
                sound.props["src"], sound.props["aria-label"] = one.beside.sound, f"samples of {label}"
            seen = one.grid.told if one.examples is None else f"{one.examples:,} examples"
            why = "" if one.grid.uri is not None or one.examples is None else f": {one.grid.told}"
            with ui.element("figcaption"):
                with ui.row().classes("items-center no-wrap"):
                    ui.html(swatch(one.index), sanitize=False)
                    ui.label(label)
                ui.label(one_line(f"{one.run}, {seen}{why}", 500)).classes("soft")


def _table(made: Table) -> None:
    columns: list[dict[str, Any]] = [
        {
            "name": one.key,
            "label": one.heading,
            "field": one.key,
            "sortable": True,
            "align": "right" if one.is_number else "left",
            ":format": f"(value, row) => row['{one.key}_shown']",
        }
        for one in made.columns
    ]
    metrics = {one.key: one.heading for one in made.columns if one.key.startswith("m")}
    others = [one.key for one in made.columns if one.key not in metrics]
    first = list(metrics)[:_FIRST_METRICS]
    rows = [row | {"swatch": swatch(row["index"])} for row in made.rows]
    grid = ui.table(rows=rows, columns=columns, row_key="index", pagination=0)
    grid.props("dense flat hide-pagination").classes("w-full compare").props("data-mark=table")
    grid.props["visible-columns"] = [*others, *first]
    grid.add_slot(
        "body-cell-variant",
        '<q-td :props="props" class="variant"><span v-html="props.row.swatch"></span>'
        "{{ props.row.variant_shown }}</q-td>",
    )

    def choose(event: events.ValueChangeEventArguments[Any]) -> None:
        grid.props["visible-columns"] = [*others, *event.value]

    if len(metrics) > len(first):
        box = ui.select(metrics, multiple=True, value=first, label="Metrics shown", on_change=choose)
        box.props("use-chips dense").classes("w-full").props("data-mark=metrics")
