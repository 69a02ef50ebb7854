"""The page of a prior: samples by its options, an image completed under a mask while it fills."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import torch
from nicegui import events, ui

from ganvas.errors import OptionError
from ganvas.play.pages.cells import Cells
from ganvas.play.pages.parts import Figure, Latest, Work, card, command_line, told
from ganvas.play.work.autoencoder import SPLITS, Autoencoder, Picture
from ganvas.play.work.codes import Cell
from ganvas.play.work.pictures import MAX_UPLOAD
from ganvas.play.work.asked import Asked, Progress
from ganvas.play.work.prior import PriorDesk
from ganvas.play.work.uri import uri_of, uri_of_grid, uri_of_sample

_PAUSE = 0.15  # seconds between steps that are shown slowly
_ANY, _EACH = "any class", "each class in turn"
_HELP_ANY = "Click the cells that are given, or take a half. By keyboard: arrows and Enter."
_HELP_FIRST = (
    "This prior draws a code given those before it, row by row: click the last cell that is given, or take "
    "the upper half. A prior of model=masked takes any mask."
)


class PriorPage:
    """Samples, and completions of one image.

    Args:
        desk: the run's prior.
        tokenizer: the same run's codes.
        work: runs a function off the page, and gives what it returns.
    """

    def __init__(self, desk: PriorDesk, tokenizer: Autoencoder, work: Work) -> None:
        self.desk, self.tokenizer, self.work = desk, tokenizer, work
        self._picture: Picture | None = None
        self._codes: torch.Tensor | None = None
        self._source: tuple[str, int] | None = None  # split and number; None of an upload
        self._given = torch.zeros(desk.cells, dtype=torch.bool)
        self._half: str | None = None  # which half the mask is
        self._masking = Latest()
        self._turn = self._ended = 0  # the newest drawing, before which others stop; the one that was stopped
        self._bar: Any = None  # of the newest drawing
        self._options()
        self._sampling()
        self._completing()

    async def start(self) -> None:
        """Draws the first samples, and takes the first image of the test split."""
        await self._take("test", 0)
        await self._sample()

    # ---- how it draws ----

    def _options(self) -> None:
        desk, own = self.desk, self.desk.own
        with card(), ui.row().classes("items-end tools"):
            self._temperature = _number("Temperature", own.temperature, 0, "temperature", step=0.05)
            self._top_k = _number("Top k (all)", own.top_k, 1, "top-k", whole=True)
            self._top_p = _number("Top p", own.top_p, 0, "top-p", step=0.05, most=1)
            self._guidance = _number("Guidance", own.guidance, 0, "guidance", step=0.5)
            self._guidance.set_visibility(desk.can_guide)
            self._steps = _number("Steps", desk.usual_steps, 1, "steps", whole=True)
            self._steps.set_visibility(desk.usual_steps is not None)
            choices: dict[Any, str] = {_ANY: _ANY, _EACH: _EACH} | dict(enumerate(desk.classes))
            self._label = ui.select(choices, value=_ANY, label="Class", with_input=len(choices) > 20)
            self._label.classes("w-44").props("data-mark=class").set_visibility(bool(desk.classes))
            self._seed = _number("Seed", 1, 0, "seed", whole=True)
            self._raw = ui.checkbox("Raw weights").props("data-mark=raw")
            self._raw.set_visibility(desk.has_average)
            self._slow = ui.checkbox("Each step slowly").props("data-mark=slow")
            self._stop = (
                ui.button("Stop", on_click=self._stop_drawing).props("outline").props("data-mark=stop")
            )
            self._stop.set_enabled(False)

    def _asked(self, num: int) -> Asked:
        """What the controls say; what stands as the run has it is not asked for."""
        own, label = self.desk.own, self._label.value
        chosen = {
            "temperature": self._temperature.value,
            "top_k": self._top_k.value,
            "top_p": self._top_p.value,
            "guidance": self._guidance.value if self.desk.can_guide else None,
        }
        asked = {name: value for name, value in chosen.items() if value not in (None, getattr(own, name))}
        if asked.get("top_k") is not None:
            asked["top_k"] = int(asked["top_k"])
        steps = self._steps.value
        if steps is not None and steps != self.desk.usual_steps:
            asked["steps"] = int(steps)
        return Asked(
            num=num,
            seed=int(self._seed.value or 0),
            label=None if label == _ANY else "each" if label == _EACH else label,
            raw=bool(self._raw.value),
            **asked,
        )

    @property
    def _every(self) -> float:
        return 0.0 if self._slow.value else 0.1

    def _stop_drawing(self) -> None:
        self._ended = self._turn

    async def _watch(self, steps: Iterator[Progress], show: Callable[[Progress], None], bar: Any) -> None:
        """Shows each step that comes, until the last one, or Stop, or something else is drawn."""
        self._turn += 1
        self._bar = bar
        turn, pause = self._turn, _PAUSE if self._slow.value else 0.0
        self._stop.set_enabled(True)
        bar.set_visibility(True)
        try:
            while (step := await self.work(next, steps, None)) is not None:
                if turn != self._turn or turn == self._ended or bar.is_deleted:  # or the page was left
                    break
                show(step)
                bar.value = step.step / step.steps
                await asyncio.sleep(pause)  # the browser takes it up
        finally:
            if not bar.is_deleted:
                is_newest = turn == self._turn
                if is_newest or self._bar is not bar:
                    bar.set_visibility(False)
                if is_newest:
                    self._stop.set_enabled(False)

    # ---- samples ----

    def _sampling(self) -> None:
        with card():
            with ui.row().classes("items-end tools"):
                ui.label("Samples").classes("heading")
                self._num = _number("Number", 16, 1, "num", whole=True, most=MOST)
                ui.button("Draw samples", on_click=self._sample).props("data-mark=draw")
            self._sample_bar = ui.linear_progress(0, show_value=False).props('aria-label="drawn"')
            self._sample_bar.set_visibility(False)
            self._samples = Figure("samples", wide=True).mark("samples")
            self._command = command_line().props("data-mark=command")

    async def _sample(self) -> None:
        with told():
            asked = self._asked(int(self._num.value or 1))
            self.desk.drawing(asked)  # refuses what it cannot do
            self._command.text = self.desk.command(asked)

            def show(step: Progress) -> None:
                left = f", {step.hidden} codes to come" if step.hidden else ""
                caption = f"{asked.num} samples: step {step.step} of {step.steps}{left}"
                self._samples.show(uri_of_grid(step.x, self.desk.columns(asked)), caption)

            await self._watch(self.desk.sample(asked, every=self._every), show, self._sample_bar)

    # ---- completions ----

    def _completing(self) -> None:
        desk = self.desk
        with card():
            with ui.row().classes("items-end tools"):
                ui.label("Complete an image").classes("heading")
                self._split = ui.select(
                    list(SPLITS), value="test", label="Split", on_change=self._image_asked
                )
                self._split.classes("w-24").props("data-mark=split")
                self._image = _number("Image", 0, 0, "image", whole=True)
                self._image.props("debounce=300").on_value_change(self._image_asked)
                self._upload = ui.upload(
                    label="or your own image",
                    auto_upload=True,
                    max_files=1,
                    max_file_size=MAX_UPLOAD,
                    on_upload=self._uploaded,
                    on_rejected=lambda: ui.notify(
                        f"upload: one image of at most {MAX_UPLOAD // 1_000_000} MB", type="negative"
                    ),
                )
                self._upload.classes("upload").props("data-mark=upload")
                self._completions = _number("Completions", 5, 1, "completions", whole=True, most=64)
                ui.button("Complete", on_click=self._complete).props("data-mark=complete")
            ui.label(_HELP_ANY if desk.takes_any_mask else _HELP_FIRST).classes("soft")
            with ui.row().classes("items-center tools"):
                for which in desk.halves():
                    ui.button(f"{which} half", on_click=lambda which=which: self._take_half(which)).props(
                        "outline"
                    ).props(f"data-mark=half-{which}")
                if desk.takes_any_mask:
                    ui.button("Invert", on_click=self._invert).props("outline").props("data-mark=invert")
                ui.button("Nothing given", on_click=self._clear).props("outline").props("data-mark=clear")
            with ui.element("div").classes("figures"):
                self._original = Figure("original").mark("original")
                self._decoded = Figure("what its codes decode to").mark("decoded")
                with ui.element("figure"):
                    self._cells = Cells("mask: cells whose codes are given", self._cell)
                    self._cells.image.props("data-mark=mask")
                    with ui.element("figcaption"):
                        self._mask_told = ui.label("mask")
                self._masked = Figure("what is given").mark("masked")
            self._complete_bar = ui.linear_progress(0, show_value=False).props('aria-label="completed"')
            self._complete_bar.set_visibility(False)
            self._completed = Figure("completions", wide=True).mark("completed")
            self._complete_command = command_line().props("data-mark=complete-command")

    async def _image_asked(self) -> None:
        if self._image.value is not None:
            await self._take(self._split.value, int(self._image.value))

    async def _take(self, split: str, number: int) -> None:
        with told():
            picture = await self.work(self.tokenizer.take, split, number)
            self._source = (split, number)
            await self._load(picture)

    async def _uploaded(self, event: events.UploadEventArguments) -> None:
        with told():
            content = await event.file.read()
            picture = await self.work(self.tokenizer.upload, event.file.name, content)
            self._source = None
            await self._load(picture)
        self._upload.reset()

    async def _load(self, picture: Picture) -> None:
        maps = await self.work(self.tokenizer.encode, picture.x)
        self._picture = picture
        self._codes = self.desk.layout.flatten(tuple(one[None] for one in maps))[0].cpu()
        self._original.show(uri_of_sample(picture.x), picture.told)
        if not self._given.any() and (halves := self.desk.halves()):
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
        self._given, self._half = given, which
        await self._show_mask()

    async def _show_mask(self) -> None:
        desk = self.desk
        known = desk.known(self._given, self._half)
        shade = self._given.to(torch.uint8)[None] * 200 + 40
        self._cells.show(uri_of(shade), *desk.cells)
        self._mask_told.text = f"{int(known.sum())} of {len(known)} codes given"
        if self._codes is None:
            return
        codes = self._codes

        async def wish() -> None:
            shown = torch.stack([codes, codes.masked_fill(~known, desk.layout.vocabulary)])
            whole, masked = await self.work(desk.picture, shown)
            self._decoded.show(uri_of_sample(whole))
            self._masked.show(uri_of_sample(masked))

        await self._masking.run(wish)

    # ---- completions ----

    async def _complete(self) -> None:
        with told():
            if self._codes is None or self._picture is None:
                raise OptionError("image", "none", "there is none to complete; take one of the split")
            desk, asked = self.desk, self._asked(int(self._completions.value or 1))
            desk.drawing(asked)
            known, which, source = desk.known(self._given, self._half), self._half, self._source
            desk.model.check_known(known)
            start = 0 if source is None else source[1] * asked.num
            self._complete_command.text = _completion_command(desk, asked, source, which)

            def show(step: Progress) -> None:
                left = f", {step.hidden} codes to come" if step.hidden else ""
                caption = f"{asked.num} completions: step {step.step} of {step.steps}{left}"
                self._completed.show(uri_of_grid(step.x, asked.num), caption)

            steps = desk.complete(
                self._codes, known, asked, of=self._picture.label, start=start, every=self._every
            )
            await self._watch(steps, show, self._complete_bar)


def _completion_command(
    desk: PriorDesk, asked: Asked, source: tuple[str, int] | None, which: str | None
) -> str:
    """The command that makes the same, or why there is none."""
    if source is None:
        return "No command completes a file of your own; data=image_folder holds images that can be."
    if which is None:
        return "No command takes a mask that is drawn by hand; a half of the image has one."
    line = desk.completion_command(asked, split=source[0], number=source[1], given=which)
    if line is None:
        return "The command completes an image by its own class: leave the class at any."
    return f"{line}   # its last row"


def _number(
    label: str,
    value: float | None,
    least: float,
    mark: str,
    *,
    step: float = 1,
    whole: bool = False,
    most: float | None = None,
) -> Any:
    box = ui.number(label, value=value, min=least, max=most, step=step, precision=0 if whole else None)
    return box.classes("w-28").props(f"data-mark={mark}")
