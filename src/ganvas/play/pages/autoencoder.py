"""The page of a VQ-VAE: samples through their codes, codes painted and swapped by hand."""

from __future__ import annotations

from typing import Any

from nicegui import events, ui

from ganvas.errors import OptionError
from ganvas.play.pages.parts import Figure, Latest, Work, card, told
from ganvas.play.pages.side import Side
from ganvas.play.work.autoencoder import Autoencoder
from ganvas.play.work.codes import Cell, Level, Region, swap
from ganvas.play.work.shown_samples import see

_TOOLS = {"pick": "Pick a code", "paint": "Paint", "region": "Mark a region"}
_KEYS = {"p": "pick", "b": "paint", "r": "region"}
_HELP = (
    "Click a code to pick it up, then paint it elsewhere. By keyboard: arrows move the cursor in a map of "
    "codes, Enter uses the tool, P picks, B paints, R marks a region by two corners, U undoes."
)


class AutoencoderPage:
    """Two samples, A and B, under one set of tools.

    Args:
        desk: the run's codes.
        work: runs a function off the page, and gives what it returns.
    """

    def __init__(self, desk: Autoencoder, work: Work) -> None:
        self.desk, self.work = desk, work
        self.level: Level = desk.levels[0]
        self.tool, self.code, self.cut = "pick", 0, desk.num_cuts
        self.region: tuple[Cell, Cell] | None = None
        self._corner: Cell | None = None
        self._everywhere = Latest()
        ui.label(_HELP).classes("soft")
        self._tools()
        self.sides = [Side(self, "A"), Side(self, "B")]
        self._swapping()

    async def start(self) -> None:
        """Loads the first two samples of the test split, or of one that has some; or says why it cannot."""
        split = "test"
        with told():
            split = await self.work(self.desk.source.first_split)
        for number, side in enumerate(self.sides):
            await side.take(split, number)

    # ---- tools ----

    def _tools(self) -> None:
        desk = self.desk
        with card(), ui.row().classes("items-end tools"):
            self._tool_box = ui.toggle(_TOOLS, value=self.tool, on_change=self._tool_chosen).props(
                "data-mark=tool"
            )
            self._code_box = ui.number("Code", value=0, min=0, precision=0, on_change=self._code_typed)
            self._code_box.classes("w-24").props("data-mark=code")
            self._code_box.max = self.level.size - 1
            small = not desk.is_played_or_read
            self._sample = Figure("at every place", small=small).mark("everywhere")
            if len(desk.levels) > 1:
                names = {one.number: one.told for one in desk.levels}
                box = ui.select(names, value=1, label="Codes shown", on_change=self._level_chosen)
                box.classes("w-64").props("data-mark=level")
            if desk.num_cuts > 1:
                many = {n: f"the first {n} of {desk.num_cuts}" for n in range(1, desk.num_cuts)}
                many |= {desk.num_cuts: f"all {desk.num_cuts}"}
                what = "Maps decoded" if len(desk.layout.sizes) > 1 else "Levels decoded"
                box = ui.select(many, value=self.cut, label=what, on_change=self._cut_chosen)
                box.classes("w-44").props("data-mark=cut")

    def _tool_chosen(self, event: events.ValueChangeEventArguments[Any]) -> None:
        self.tool, self._corner = event.value, None

    async def _code_typed(self, event: events.ValueChangeEventArguments[Any]) -> None:
        value = event.value
        if value is None or not 0 <= value < self.level.size:
            return
        self.code = int(value)
        for side in self.sides:
            side.show_palette()
        await self.show_everywhere()

    async def _level_chosen(self, event: events.ValueChangeEventArguments[Any]) -> None:
        self.level = self.desk.levels[event.value - 1]
        self.region = self._corner = None
        self._code_box.max = self.level.size - 1
        self.pick(min(self.code, self.level.size - 1))
        self._tell_region()
        for side in self.sides:
            await side.refresh()

    async def _cut_chosen(self, event: events.ValueChangeEventArguments[Any]) -> None:
        self.cut = event.value
        for side in self.sides:
            await side.refresh()

    def pick(self, code: int) -> None:
        """Takes a code up."""
        self._code_box.value = code

    async def show_everywhere(self) -> None:
        """What the code decodes to at every place, beside the other levels of sample A."""
        maps = self.sides[0].maps
        if maps is None:
            return

        async def wish() -> None:
            x = await self.work(self.desk.everywhere, maps, self.level, self.code)
            self._sample.show_sample(see(self.desk.kind, x[None])[0])

        await self._everywhere.run(wish)

    async def use(self, side: Side, cell: Cell) -> None:
        """What the tool does at a cell."""
        if self.tool == "pick":
            self.pick(side.code_at(cell))
            self._tool_box.value = "paint"
        elif self.tool == "paint":
            await side.paint(cell, self.code)
        elif self._corner is None:
            self._corner = cell
            self._mark((cell, cell))
        else:
            self._mark((self._corner, cell))
            self._corner = None

    async def key(self, side: Side, key: str) -> None:
        """What a key does in a map of codes."""
        if key.lower() in _KEYS:
            self._tool_box.value = _KEYS[key.lower()]
        elif key.lower() == "u":
            await side.undo()

    # ---- regions ----

    def _mark(self, region: tuple[Cell, Cell]) -> None:
        self.region = region
        for side in self.sides:
            side.cells.mark(region)
        self._tell_region()

    def _swapping(self) -> None:
        with card():
            ui.label("Swap between A and B").classes("heading")
            with ui.row().classes("items-end tools"):
                what = {"all": "codes of all levels", "one": "codes of the level shown"}
                self._what = ui.select(what, value="all", label="What is swapped").classes("w-56")
                self._what.props("data-mark=what").set_visibility(len(self.desk.levels) > 1)
                ui.button("Swap region", on_click=self._swap_region).props("data-mark=swap-region")
                ui.button("Swap all", on_click=self._swap_all).props("data-mark=swap-all")
            self._region_told = ui.label().classes("soft").props("data-mark=region")
        self._tell_region()

    def _tell_region(self) -> None:
        if self.region is None:
            self._region_told.text = "No region is marked: take the tool, and click at two corners."
            return
        (top, left), (bottom, right) = (
            tuple(pick(pair) for pair in zip(*self.region, strict=True)) for pick in (min, max)
        )
        rows, columns = f"{top + 1} to {bottom + 1}", f"{left + 1} to {right + 1}"
        place = f"rows {rows}, columns {columns}" if self.level.is_grid else f"places {columns}"
        self._region_told.text = f"Region: {place} of the codes shown."

    async def _swap_region(self) -> None:
        with told():
            if self.region is None:
                raise OptionError("region", "none", "mark one first: two corners in a map of codes")
            await self._swap(Region.between(self.level, *self.region))

    async def _swap_all(self) -> None:
        await self._swap(Region(0, 0, 1, 1))

    async def _swap(self, region: Region) -> None:
        a, b = self.sides
        if a.maps is None or b.maps is None:
            return
        made = swap(a.maps, b.maps, region, level=self.level if self._what.value == "one" else None)
        for side, maps in zip(self.sides, made, strict=True):
            await side.change(maps)
