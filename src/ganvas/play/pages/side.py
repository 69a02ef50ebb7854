"""One image on the page of a VQ-VAE: where it is from, what is made of it, its codes."""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

from nicegui import events, ui

from ganvas.play.pages.cells import Cells
from ganvas.play.pages.parts import Figure, Latest, Work, card, told
from ganvas.play.work.autoencoder import SPLITS, Autoencoder, Bits, Picture, Quality
from ganvas.play.work.codes import Cell, Level, Maps, cells_of, most_used, moved, paint
from ganvas.play.work.pictures import MAX_UPLOAD, error_map
from ganvas.play.work.uri import uri_of, uri_of_sample

_PALETTE = 12  # codes to choose from
_MOST_UNDONE = 200


class Made(NamedTuple):
    """What is shown of an image."""

    decoded: str
    error: str
    largest: float
    quality: Quality
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
        """Shows the first image with the picked code at every place."""
        ...

    async def use(self, side: Side, cell: Cell) -> None:
        """Uses the chosen tool at a cell."""
        ...

    async def key(self, side: Side, key: str) -> None:
        """A key that was pressed on a map."""
        ...


class Side:
    """An image and its codes, edited.

    Attributes:
        maps: its codes as they stand; None before there is an image.
        cells: the map that is shown.
    """

    def __init__(self, page: Bench, name: str) -> None:
        self.page, self.name = page, name
        self.picture: Picture | None = None
        self.maps: Maps | None = None
        self._first: Maps | None = None
        self._undone: list[Maps] = []
        self._latest, self._asking = Latest(), True
        mark = name.lower()
        with card():
            with ui.row().classes("items-end tools"):
                ui.label(f"Image {name}").classes("heading")
                self._split = ui.select(list(SPLITS), value="test", label="Split", on_change=self._asked)
                self._split.classes("w-24").props(f"data-mark=split-{mark}")
                self._number = ui.number("Number", value=0, min=0, precision=0, on_change=self._asked)
                self._number.classes("w-28").props(f"debounce=300 data-mark=number-{mark}")
                upload = ui.upload(
                    label="or your own image",
                    auto_upload=True,
                    max_files=1,
                    max_file_size=MAX_UPLOAD,
                    on_upload=self._uploaded,
                    on_rejected=self._rejected,
                )
                upload.classes("upload").props(f"data-mark=upload-{mark}")
                self._upload = upload
            with ui.element("div").classes("figures"):
                self._original = Figure("original").mark(f"original-{mark}")
                self._decoded = Figure("what the codes decode to").mark(f"decoded-{mark}")
                self._error = Figure("error").mark(f"error-{mark}")
                with ui.element("figure"):
                    self.cells = Cells(
                        f"codes of image {name}", self._used, on_key=self._key, on_move=self._at
                    )
                    self.cells.image.props(f"data-mark=codes-{mark}")
                    with ui.element("figcaption"):
                        self._at_told = ui.label("codes")
            self._told = ui.label().classes("numbers").props(f"data-mark=told-{mark}")
            with ui.row().classes("items-center tools"):
                ui.button("Undo", on_click=self.undo).props("outline").props(f"data-mark=undo-{mark}")
                ui.button("As encoded", on_click=self._reset).props("outline").props(
                    f"data-mark=reset-{mark}"
                )
                self._palette = ui.row().classes("items-center palette")

    # ---- where it is from ----

    async def take(self, split: str, number: int) -> None:
        """An image of a split, which the controls then name."""
        self._asking = False
        self._split.value, self._number.value = split, number
        self._asking = True
        with told():
            await self._load(await self.page.work(self.page.desk.take, split, number))

    async def _asked(self) -> None:
        if self._asking and self._number.value is not None:
            await self.take(self._split.value, int(self._number.value))

    async def _uploaded(self, event: events.UploadEventArguments) -> None:
        with told():
            content = await event.file.read()
            await self._load(await self.page.work(self.page.desk.upload, event.file.name, content))
        self._upload.reset()

    def _rejected(self) -> None:
        ui.notify(f"upload: one image of at most {MAX_UPLOAD // 1_000_000} MB", type="negative")

    async def _load(self, picture: Picture) -> None:
        maps = await self.page.work(self.page.desk.encode, picture.x)
        self.picture, self.maps, self._first, self._undone = picture, maps, maps, []
        self._original.show(uri_of_sample(picture.x), self._named(picture))
        await self.refresh()
        if self is self.page.sides[0]:
            await self.page.show_everywhere()

    def _named(self, picture: Picture) -> str:
        names = self.page.desk.class_names
        if picture.label is None:
            return picture.told
        label = names[picture.label] if picture.label < len(names) else f"class {picture.label}"
        return f"{picture.told}: {label}"

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
            self._at_told.text = f"row {row + 1}, column {column + 1}: code {self.code_at(cell)}"

    # ---- what is shown ----

    async def refresh(self) -> None:
        """Shows the codes at once, and what they decode to as soon as it is made."""
        if self.maps is None or self.picture is None:
            return
        page, level = self.page, self.page.level
        self.cells.show(uri_of(page.desk.colours(self.maps, level)), level.rows, level.columns)
        self._at(self.cells.cursor)
        self.show_palette()
        await self._latest.run(self._decode)

    async def _decode(self) -> None:
        assert self.maps is not None
        assert self.picture is not None
        with told():
            made = await self.page.work(self._make, self.picture, self.maps, self.page.cut)
            self._decoded.show(made.decoded)
            self._error.show(made.error, f"error: white is {made.largest:.0%} of the range")
            self._told.text = self._say(made)

    def _make(self, picture: Picture, maps: Maps, cut: int) -> Made:
        desk = self.page.desk
        x = desk.decode(maps, cut)
        heat, largest = error_map(picture.x, x)
        quality, bits = desk.quality(picture.x, x), desk.bits(maps, picture.label)
        return Made(uri_of_sample(x), uri_of(heat), largest, quality, bits)

    def _say(self, made: Made) -> str:
        assert self.maps is not None
        assert self._first is not None
        psnr = "no error" if math.isinf(made.quality.psnr) else f"PSNR {made.quality.psnr:.2f} dB"
        words = [psnr]
        if not math.isnan(made.quality.ssim):
            words.append(f"SSIM {made.quality.ssim:.3f}")
        words.append(f"{made.bits.fixed:,.0f} bits")
        if made.bits.prior is not None:
            bound = "at most " if made.bits.is_bound else ""
            words.append(f"{bound}{made.bits.prior:,.1f} bits under the prior")
        count = sum(moved(self._first, self.maps, level) for level in self.page.desk.levels)
        words.append(f"{count} code{'' if count == 1 else 's'} changed" if count else "codes as encoded")
        return "  ·  ".join(words)

    def show_palette(self) -> None:
        """The codes that this image uses most, to be taken up."""
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
