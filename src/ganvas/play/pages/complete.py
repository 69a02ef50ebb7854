"""The card of a prior's page that completes a sample: what is given of it, and what is drawn beside that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Protocol

import torch
from nicegui import events, ui

from ganvas.errors import OptionError
from ganvas.files.text import with_article
from ganvas.play.pages.cells import Cells
from ganvas.play.pages.parts import (
    Figure,
    Latest,
    Several,
    Work,
    card,
    command_line,
    number_box,
    tallness,
    told,
    upload_of,
)
from ganvas.play.work.asked import Asked, Progress
from ganvas.play.work.codes import Cell
from ganvas.play.work.prior import PriorDesk
from ganvas.play.work.shown_samples import see
from ganvas.play.work.source import SPLITS, Original
from ganvas.play.work.uri import uri_of

_HELP_ANY = "Click the cells that are given, or take a half. By keyboard: arrows and Enter."
_HELP_FIRST = (
    "This prior draws a code given those before it, row by row: click the last cell that is given, or take "
    "the upper half. A prior of model=masked takes any mask."
)

_HELP_ALONG = (
    "This prior draws a code given those before it: click the last cell that is given, or take the first "
    "half. A prior of model=masked takes any mask."
)


class DrawsBench(Protocol):
    """What it asks of the page: the run's prior, and how it draws.

    Attributes:
        desk: the run's prior.
        work: runs a function off the page.
    """

    desk: PriorDesk
    work: Work

    @property
    def every(self) -> float:
        """Seconds between two steps that are shown."""
        ...

    def asked(self, num: int) -> Asked:
        """What the controls say."""
        ...

    def watch(self, steps: Iterator[Progress], show: Callable[[Progress], None], bar: Any) -> Awaitable[None]:
        """Shows steps as they come."""
        ...


class Completion:
    """One sample, a mask over its codes, and completions of what it gives.

    Args:
        page: whose card it is.
    """

    def __init__(self, page: DrawsBench) -> None:
        self.page, self.desk, self.source, self.work = page, page.desk, page.desk.source, page.work
        self._held: Original | None = None
        self._codes: torch.Tensor | None = None
        self._taken: tuple[str, int] | None = None  # split and number; None of what is of no split
        self._given = torch.zeros(page.desk.cells, dtype=torch.bool)
        self._half: str | None = None  # which half the mask is
        self._beginning: str | None = None  # what was typed, where that is the mask
        self._masking = Latest()
        desk = self.desk
        with card():
            with ui.row().classes("items-end tools"):
                ui.label(f"Complete {with_article(desk.kind.name)}").classes("heading")
                self._split = ui.select(
                    list(SPLITS), value="test", label="Split", on_change=self._image_asked
                )
                self._split.classes("w-24").props("data-mark=split")
                self._image = number_box(desk.kind.name.capitalize(), 0, 0, "image", whole=True)
                self._image.props("debounce=300").on_value_change(self._image_asked)
                self._upload = upload_of(self.source, self._uploaded, "upload")
                self._completions = number_box("Completions", 5, 1, "completions", whole=True, most=64)
                ui.button("Complete", on_click=self._complete).props("data-mark=complete")
            if self.source.takes_typing:
                self._typing()
            ui.label(_help(desk)).classes("soft")
            with ui.row().classes("items-center tools"):
                for which in desk.halves():
                    ui.button(f"{which} half", on_click=lambda which=which: self._take_half(which)).props(
                        "outline"
                    ).props(f"data-mark=half-{which}")
                if desk.takes_any_mask:
                    ui.button("Invert", on_click=self._invert).props("outline").props("data-mark=invert")
                ui.button("Nothing given", on_click=self._clear).props("outline").props("data-mark=clear")
            with ui.element("div").classes("figures along" if desk.is_played_or_read else "figures"):
                self._original = Figure("original").mark("original")
                self._decoded = Figure("what its codes decode to").mark("decoded")
                with ui.element("figure").classes("whole"):
                    self._cells = Cells("mask: cells whose codes are given", self._cell)
                    self._cells.image.props("data-mark=mask")
                    with ui.element("figcaption"):
                        self._mask_told = ui.label("mask")
                self._masked = Figure("what is given").mark("masked")
            self._complete_bar = ui.linear_progress(0, show_value=False).props('aria-label="completed"')
            self._complete_bar.set_visibility(False)
            self._completed = Several("completion", "completed", is_played_or_read=desk.is_played_or_read)
            self._complete_command = command_line().props("data-mark=complete-command")

    async def start(self) -> None:
        """Takes the first sample of the first split that has one."""
        with told():
            self._split.value = await self.work(self.source.first_split)
        if self._split.value == SPLITS[0]:  # else the control that changed takes it
            await self._take(SPLITS[0], 0)

    async def _image_asked(self) -> None:
        if self._image.value is not None:
            await self._take(self._split.value, int(self._image.value))

    async def _take(self, split: str, number: int) -> None:
        with told():
            original = await self.work(self.source.take, split, number)
            self._taken = (split, number)
            await self._load(original)

    async def _uploaded(self, event: events.UploadEventArguments) -> None:
        with told():
            content = await event.file.read()
            original = await self.work(self.source.upload, event.file.name, content)
            self._taken = None
            await self._load(original)
        self._upload.reset()

    def _typing(self) -> None:
        with ui.row().classes("items-end tools"):
            self._typed_box = ui.textarea("or type how it begins").classes("grow").props("data-mark=typed")
            self._typed_box.props("autogrow outlined dense rows=2")
            ui.button("Take it", on_click=self._typed).props("outline").props("data-mark=take-typed")

    async def _typed(self) -> None:
        """All that was typed is given, and the rest to be drawn."""
        with told():
            words = self._typed_box.value or ""
            original = await self.work(self.source.typed, words)
            self._taken = None
            await self._load(original, self.desk.known_of(original))
            self._beginning = words

    async def _load(self, original: Original, given: torch.Tensor | None = None) -> None:
        """Takes it; of the mask that is given, or the one there is, or the first half where that is empty."""
        self._codes = await self.work(self.desk.encode, original.x)
        self._held, self._beginning = original, None
        (seen,) = await self.work(see, self.desk.kind, original.own[None])
        self._original.show_sample(seen, original.told)
        if given is not None:
            await self._changed(given)
        elif not self._given.any() and (halves := self.desk.halves()):
            await self._take_half(halves[0])
        else:
            await self._show_mask()

    # ---- the mask ----

    async def _cell(self, cell: Cell) -> None:
        await self._changed(self.desk.touched(self._given, cell))

    async def _take_half(self, which: str) -> None:
        await self._changed(self.desk.half_of_cells(which), which)

    async def _invert(self) -> None:
        await self._changed(~self._given)

    async def _clear(self) -> None:
        await self._changed(torch.zeros_like(self._given))

    async def _changed(self, given: torch.Tensor, which: str | None = None) -> None:
        self._given, self._half, self._beginning = given, which, None
        await self._show_mask()

    async def _show_mask(self) -> None:
        desk = self.desk
        known = desk.known(self._given, self._half)
        shade = self._given.to(torch.uint8)[None] * 200 + 40
        tall = tallness(desk.cells[1]) if desk.runs_on else 1
        self._cells.show(uri_of(shade.repeat_interleave(tall, 1)), *desk.cells, (tall, 1))
        self._mask_told.text = f"{int(known.sum())} of {len(known)} codes given"
        if self._codes is None:
            return
        codes = self._codes

        async def wish() -> None:
            shown = torch.stack([codes, codes.masked_fill(~known, desk.layout.vocabulary)])
            whole, masked = await self.work(desk.see, shown)
            self._decoded.show_sample(whole)
            self._masked.show_sample(masked)

        await self._masking.run(wish)

    # ---- completions ----

    async def _complete(self) -> None:
        with told():
            if self._codes is None or self._held is None:
                name = self.desk.kind.name
                raise OptionError(name, "none", "there is none to complete; take one of a split")
            desk, asked = self.desk, self.page.asked(int(self._completions.value or 1))
            desk.drawing(asked)
            known, which, taken = desk.known(self._given, self._half), self._half, self._taken
            desk.model.check_known(known)
            start = 0 if taken is None else taken[1] * asked.num
            self._complete_command.text = _completion_command(desk, asked, taken, which, self._beginning)

            def show(step: Progress) -> None:
                left = f", {step.hidden} codes to come" if step.hidden else ""
                caption = f"{asked.num} completions: step {step.step} of {step.steps}{left}"
                self._completed.show(step, caption, asked.num)

            steps = desk.complete(
                self._codes, known, asked, of=self._held.label, start=start, every=self.page.every
            )
            await self.page.watch(steps, show, self._complete_bar)


def _help(desk: PriorDesk) -> str:
    if desk.takes_any_mask:
        return _HELP_ANY
    return _HELP_ALONG if desk.runs_on else _HELP_FIRST


def _completion_command(
    desk: PriorDesk, asked: Asked, source: tuple[str, int] | None, which: str | None, beginning: str | None
) -> str:
    """The command that makes the same, or why there is none."""
    if beginning is not None:
        return desk.beginning_command(asked, beginning)
    if source is None and desk.kind.has_pixels:
        return "No command completes a file of your own; data=image_folder holds images that can be."
    name = desk.kind.name
    if source is None:
        return "No command completes a part of what is of no split; --beginning takes the whole of it."
    if which is None:
        return f"No command takes a mask that is drawn by hand; a half of the {name} has one."
    line = desk.completion_command(asked, split=source[0], number=source[1], given=which)
    if line is None:
        return f"The command completes {with_article(name)} by its own class: leave the class at any."
    return f"{line}   # its last row"
