"""One sample on the page of a VQ-VAE: where it is from, what is made of it, its codes."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from nicegui import events, ui

from ganvas.play.pages.cells import Cells
from ganvas.play.pages.parts import Figure, Latest, Work, card, tallness, told, upload_of
from ganvas.play.work.autoencoder import Autoencoder, Bits
from ganvas.play.work.codes import Cell, Level, Maps, cells_of, most_used, moved, paint
from ganvas.play.work.said import said_bits, said_quality
from ganvas.play.work.shown_samples import Seen, see, see_difference
from ganvas.play.work.source import SPLITS, Original
from ganvas.play.work.uri import uri_of

_PALETTE = 12  # codes to choose from
_MOST_UNDONE = 200


class Made(NamedTuple):
    """What is shown of a sample; ``told`` is how to read the difference."""

    decoded: Seen
    difference: Seen
    told: str
    quality: dict[str, float]
    bits: Bits


class Bench(Protocol):
    """What both sides share: the page's codes, its tools, and what is chosen.

    Attributes:
        desk: the run's codes.
        work: runs a function off the page.
        level: whose codes are shown.
        code: that is picked up.
        cut: levels that are decoded.
        sides: both.
    """

    desk: Autoencoder
    work: Work
    level: Level
    code: int
    cut: int
    sides: list[Side]

    def pick(self, code: int) -> object:
        """Takes a code up."""
        ...

    async def show_everywhere(self) -> None:
        """Shows the first sample with the picked code at every place."""
        ...

    async def use(self, side: Side, cell: Cell) -> None:
        """Uses the chosen tool at a cell."""
        ...

    async def key(self, side: Side, key: str) -> None:
        """A key that was pressed on a map."""
        ...


class Side:
    """A sample and its codes, edited.

    Attributes:
        maps: its codes as they stand; None before there is a sample.
        cells: the map that is shown.
    """

    def __init__(self, page: Bench, name: str) -> None:
        self.page, self.name = page, name
        self.original: Original | None = None
        self.maps: Maps | None = None
        self._first: Maps | None = None
        self._undone: list[Maps] = []
        self._latest, self._asking = Latest(), True
        mark, kind, along = name.lower(), page.desk.kind, page.desk.is_played_or_read
        with card():
            with ui.row().classes("items-end tools"):
                ui.label(f"{kind.name.capitalize()} {name}").classes("heading")
                self._split = ui.select(list(SPLITS), value="test", label="Split", on_change=self._asked)
                self._split.classes("w-24").props(f"data-mark=split-{mark}")
                self._number = ui.number("Number", value=0, min=0, precision=0, on_change=self._asked)
                self._number.classes("w-28").props(f"debounce=300 data-mark=number-{mark}")
                self._upload = upload_of(page.desk.source, self._uploaded, f"upload-{mark}")
            with ui.element("div").classes("figures along" if along else "figures"):
                self._original = Figure("original").mark(f"original-{mark}")
                self._decoded = Figure("what the codes decode to").mark(f"decoded-{mark}")
                self._error = Figure("error").mark(f"error-{mark}")
                with ui.element("figure").classes("whole"):
                    self.cells = Cells(
                        f"codes of {kind.name} {name}", self._used, on_key=self._key, on_move=self._at
                    )
                    self.cells.image.props(f"data-mark=codes-{mark}")
                    with ui.element("figcaption"):
                        self._at_told = ui.label("codes")
                self._levels = Figure("", wide=True).mark(f"levels-{mark}")
            self._told = ui.label().classes("numbers").props(f"data-mark=told-{mark}")
            with ui.row().classes("items-center tools"):
                ui.button("Undo", on_click=self.undo).props("outline").props(f"data-mark=undo-{mark}")
                ui.button("As encoded", on_click=self._reset).props("outline").props(
                    f"data-mark=reset-{mark}"
                )
                self._palette = ui.row().classes("items-center palette")

    # ---- where it is from ----

    async def take(self, split: str, number: int) -> None:
        """A sample of a split, which the controls then name."""
        self._asking = False
        self._split.value, self._number.value = split, number
        self._asking = True
        with told():
            await self._load(await self.page.work(self.page.desk.source.take, split, number))

    async def _asked(self) -> None:
        if self._asking and self._number.value is not None:
            await self.take(self._split.value, int(self._number.value))

    async def _uploaded(self, event: events.UploadEventArguments) -> None:
        with told():
            content = await event.file.read()
            await self._load(await self.page.work(self.page.desk.source.upload, event.file.name, content))
        self._upload.reset()

    async def _load(self, original: Original) -> None:
        maps = await self.page.work(self.page.desk.encode, original.x)
        self.original, self.maps, self._first, self._undone = original, maps, maps, []
        (seen,) = await self.page.work(see, self.page.desk.kind, original.own[None])
        self._original.show_sample(seen, self._named(original))
        await self.refresh()
        if self is self.page.sides[0]:
            await self.page.show_everywhere()

    def _named(self, original: Original) -> str:
        names = self.page.desk.source.class_names
        if original.label is None:
            return original.told
        label = names[original.label] if original.label < len(names) else f"class {original.label}"
        return f"{original.told}: {label}"

    # ---- its codes ----

    def code_at(self, cell: Cell) -> int:
        """The code of a cell of the level shown."""
        assert self.maps is not None
        return int(cells_of(self.maps, self.page.level)[cell])

    async def paint(self, cell: Cell, code: int) -> None:
        """Puts a code into a cell."""
        if self.maps is not None and code != self.code_at(cell):
            await self.change(paint(self.maps, self.page.level, [cell], code))

    async def change(self, maps: Maps) -> None:
        """Other codes, which can be undone."""
        if self.maps is not None:
            self._undone = [*self._undone[-_MOST_UNDONE:], self.maps]
        self.maps = maps
        await self.refresh()

    async def undo(self) -> None:
        """Takes the last change back."""
        if self._undone:
            self.maps = self._undone.pop()
            await self.refresh()

    async def _reset(self) -> None:
        if self._first is not None and self.maps is not self._first:
            await self.change(self._first)

    async def _used(self, cell: Cell) -> None:
        if self.maps is not None:
            await self.page.use(self, cell)

    async def _key(self, key: str, _: Cell) -> None:
        await self.page.key(self, key)

    def _at(self, cell: Cell) -> None:
        if self.maps is not None:
            row, column = cell
            level = self.page.level
            place = f"row {row + 1}, column {column + 1}" if level.is_grid else f"place {column + 1}"
            self._at_told.text = f"{place}: code {self.code_at(cell)}"

    # ---- what is shown ----

    async def refresh(self) -> None:
        """Shows the codes at once, and what they decode to as soon as it is made."""
        if self.maps is None or self.original is None:
            return
        page, level = self.page, self.page.level
        tall = tallness(level.columns) if page.desk.is_played_or_read and not level.is_grid else 1
        colours = page.desk.colours(self.maps, level).repeat_interleave(tall, 1)
        self.cells.show(uri_of(colours), level.rows, level.columns, (tall, 1))
        every = page.desk.all_colours(self.maps) if page.desk.is_played_or_read else None
        if every is not None and len(page.desk.levels) > 1:
            self._levels.show(
                uri_of(every.repeat_interleave(tall, 1)), "codes of all levels, the first above"
            )
        self._at(self.cells.cursor)
        self.show_palette()
        await self._latest.run(self._decode)

    async def _decode(self) -> None:
        assert self.maps is not None
        assert self.original is not None
        with told():
            made = await self.page.work(self._make, self.original, self.maps, self.page.cut)
            self._decoded.show_sample(made.decoded)
            self._error.show_sample(made.difference, made.told)
            self._told.text = self._say(made)

    def _make(self, original: Original, maps: Maps, cut: int) -> Made:
        desk = self.page.desk
        own = original.own
        x = desk.decode(maps, cut)[..., : original.length]
        is_whole = original.length == original.x.shape[-1]
        bits = desk.bits(maps, original.label, original.x if is_whole else None, cut)
        (seen,), (difference, told) = see(desk.kind, x[None]), see_difference(desk.kind, own, x)
        return Made(seen, difference, told, desk.quality(own, x), bits)

    def _say(self, made: Made) -> str:
        assert self.maps is not None
        assert self._first is not None
        desk = self.page.desk
        words = [*said_quality(made.quality), *said_bits(made.bits, desk.kind.units(desk.source.shape))]
        count = sum(moved(self._first, self.maps, level) for level in desk.levels)
        words.append(f"{count} code{'' if count == 1 else 's'} changed" if count else "codes as encoded")
        return "  ·  ".join(words)

    def show_palette(self) -> None:
        """The codes that this sample uses most, to be taken up."""
        if self.maps is None:
            return
        page = self.page
        self._palette.clear()
        with self._palette:
            ui.label("Codes in use:").classes("soft")
            for code, count in most_used(self.maps, page.level, _PALETTE):
                chip = ui.button(str(code), on_click=lambda code=code: page.pick(code)).props("outline dense")
                chip.classes("chip chosen" if code == page.code else "chip")
                chip.style(f"--chip: {page.desk.colour(page.level, code)}").tooltip(f"code {code}: {count}")
