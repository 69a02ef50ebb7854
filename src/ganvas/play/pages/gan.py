"""The page of a GAN: samples by their seed, the way between two of them, their nearest training images."""

from __future__ import annotations

from functools import partial
from typing import Any

from nicegui import ui
from torch import Tensor

from ganvas.play.pages.cells import Cells
from ganvas.play.pages.parts import Figure, Gallery, Latest, Work, card, command_line, told
from ganvas.play.work.codes import Cell
from ganvas.play.work.gan import Asked, GANDesk, tiled
from ganvas.play.work.shown_samples import as_file, own_ending, see
from ganvas.play.work.uri import uri_of

_ANY = "any class"
_NUMBERS = (1, 4, 9, 16, 36, 64, 100, 144, 256)
_HELP_PLAYED = "Pick two samples, then slide between them."
_HELP = "Click two samples, then slide between them. By keyboard: arrows move the cursor, Enter picks."
STYLE = """
.desk { display: grid; gap: 1rem; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); }
@media (max-width: 900px) { .desk { grid-template-columns: minmax(0, 1fr); } }
.desk > * { align-content: start; min-width: 0; }
.ends { display: grid; gap: .8rem; grid-template-columns: repeat(3, minmax(0, 1fr)); }
.near { display: grid; gap: .6rem; grid-template-columns: repeat(5, minmax(0, 1fr)); }
"""


class GANPage:
    """One grid, and two of its samples.

    Args:
        desk: the run's generator.
        work: runs a function off the page, and gives what it returns.
    """

    def __init__(self, desk: GANDesk, work: Work) -> None:
        self.desk, self.work = desk, work
        self._made: Tensor | None = None
        self._of = Asked()  # what the grid shows
        self._columns = 1
        self._picked = [0, 0]
        self._turn = 0  # which of the two is picked next
        self._drawing, self._sliding, self._looking = Latest(), Latest(), Latest()
        ui.add_head_html(f"<style>{STYLE}</style>")
        self._options()
        with ui.element("div").classes("desk"):
            with card():
                self._cells: Cells | Gallery
                if desk.is_played_or_read:
                    ui.label(_HELP_PLAYED).classes("soft")
                    self._cells = Gallery(self._pick_number)
                else:
                    ui.label(_HELP).classes("soft")
                    self._cells = Cells("samples; Enter picks one", self._pick)
                self._command = command_line().props("data-mark=command")
                with ui.row().classes("tools"):
                    for ending in dict.fromkeys([own_ending(desk.kind), ".png", ".npz"]):
                        name = ending.removeprefix(".")
                        save = partial(self._save, ending)
                        self._button(f"Save {name.upper()}", save, f"save-{name}")
            with ui.element("div").classes("sections"):
                self._between()
                self._neighbours()

    async def start(self) -> None:
        """Draws the first grid."""
        await self.draw()

    # ---- what is drawn ----

    def _options(self) -> None:
        with card(), ui.row().classes("items-end tools"):
            self._num = ui.select(
                [n for n in _NUMBERS if n <= self.desk.most],
                value=self.desk.usual,
                label="Samples",
                on_change=self.draw,
            )
            self._num.classes("w-24").props("data-mark=num")
            with ui.row().classes(
                "items-end no-wrap"
            ):  # one of them alone on a narrow line would say nothing
                self._button("Seed before", lambda: self._step(-1), "before", icon="chevron_left")
                self._seed = ui.number("Seed", value=1, precision=0, on_change=self.draw)
                self._seed.classes("w-28").props("data-mark=seed debounce=300")
                self._button("Next seed", lambda: self._step(1), "next", icon="chevron_right")
            self._cut = ui.number("Truncation (none)", step=0.05, on_change=self.draw)
            self._cut.classes("w-40").props("clearable data-mark=truncation debounce=300")
            choices: dict[Any, str] = {_ANY: _ANY} | dict(enumerate(self.desk.classes))
            self._label = ui.select(
                choices, value=_ANY, label="Class", with_input=len(choices) > 20, on_change=self.draw
            )
            self._label.classes("w-44").props("data-mark=class").set_visibility(len(choices) > 1)
            self._raw = ui.checkbox("Raw weights", on_change=self.draw).props("data-mark=raw")
            self._raw.set_visibility(self.desk.has_average)

    def _step(self, by: int) -> None:
        self._seed.value = max(0, int(self._seed.value or 0) + by)  # whose change draws

    @property
    def asked(self) -> Asked:
        """What the options say now."""
        label = self._label.value
        seed = self._seed.value
        return Asked(
            num=min(int(self._num.value), self.desk.most),
            seed=-1 if seed is None else int(seed),
            truncation=None if self._cut.value is None else float(self._cut.value),
            label=None if label in (_ANY, None) else int(label),
            raw=bool(self._raw.value),
        )

    async def draw(self) -> None:
        """Draws the grid of what is asked now; what is refused leaves it as it is."""

        async def wish() -> None:
            with told():
                asked = self.asked
                made = await self.work(self.desk.samples, asked)
                self._made, self._of = made, asked
                self._columns = max(1, round(asked.num**0.5))
                if isinstance(self._cells, Gallery):
                    self._cells.show(await self.work(see, self.desk.kind, made))
                else:
                    uri = await self.work(lambda: uri_of(tiled(made, self._columns)))
                    height, width = self.desk.shape[1:]
                    self._cells.show(uri, -(-asked.num // self._columns), self._columns, (height, width))
                self._command.text = self.desk.command(asked)
                self._picked = [0, min(1, asked.num - 1)]
                self._turn = 0
                self._mark()
                await self._slide()

        await self._drawing.run(wish)

    # ---- two of them ----

    def _between(self) -> None:
        with card():
            ui.label("Between two samples").classes("heading")
            with ui.element("div").classes("ends"):
                self._ends = [
                    Figure("A").mark("first"),
                    Figure("between").mark("between"),
                    Figure("B").mark("second"),
                ]
            self._slider = ui.slider(min=0, max=1, step=0.01, value=0.5, on_change=self._slide)
            self._slider.props('data-mark=slider aria-label="share of the way from A to B"')
            self._row = Figure("from A to B in nine steps, on an arc between their latents", wide=True).mark(
                "row"
            )
            self._button("Show nine steps", self._show_row, "steps")

    async def _pick(self, cell: Cell) -> None:
        await self._pick_number(cell[0] * self._columns + cell[1])

    async def _pick_number(self, number: int) -> None:
        if self._made is None or number >= len(self._made):
            return
        self._picked[self._turn] = number
        self._turn = 1 - self._turn
        self._mark()
        await self._slide()

    def _mark(self) -> None:
        if self._made is None:
            return
        for figure, number, name in zip(self._ends[::2], self._picked, "AB", strict=True):
            (seen,) = see(self.desk.kind, self._made[number][None])
            figure.show_sample(seen, f"{name}: sample {number}")
        self._row_is_old()
        self._near_is_old()

    async def _slide(self) -> None:
        async def wish() -> None:
            with told():
                t = float(self._slider.value)
                x = await self.work(self.desk.between, self._of, *self._picked, t)
                (seen,) = see(self.desk.kind, x[None])
                self._ends[1].show_sample(seen, f"{100 * t:.0f} % of the way")

        await self._sliding.run(wish)

    def _row_is_old(self) -> None:
        self._row.hide()

    async def _show_row(self) -> None:
        with told():
            x = await self.work(self.desk.row, self._of, *self._picked)
            self._row.show(uri_of(self.desk.kind.draw(x, columns=len(x))))

    # ---- the nearest ones ----

    def _neighbours(self) -> None:
        with card():
            ui.label(f"Nearest training {self.desk.kind.plural} of A").classes("heading")
            ui.label("By the root mean square of their values' differences; the whole range is 1.").classes(
                "soft"
            )
            self._button("Look for them", self._look, "look")
            self._near = ui.element("div").classes("near").props("data-mark=near")

    def _near_is_old(self) -> None:
        self._near.clear()

    async def _look(self) -> None:
        async def wish() -> None:
            with told():
                number = self._picked[0]
                images, far = await self.work(self.desk.neighbours, self._of, number)
                self._near.clear()
                with self._near:
                    for image, one in zip(images, far, strict=True):
                        (seen,) = see(self.desk.kind, image[None])
                        Figure("").show_sample(seen, f"{one:.3f} away")

        await self._looking.run(wish)

    # ---- files ----

    async def _save(self, ending: str) -> None:
        if self._made is not None:
            options = {"columns": self.desk.columns(self._of), "labels": self.desk.labels(self._of)}
            content = await self.work(as_file, self.desk.kind, self._made, ending, **options)
            ui.download.content(content, f"samples{ending}")

    def _button(self, text: str, on_click: Any, mark: str, icon: str | None = None) -> None:
        button = ui.button("" if icon else text, icon=icon, on_click=on_click).props(
            f"outline data-mark={mark}"
        )
        button.props["aria-label"] = text
