"""The page of a prior: samples by its options, a sample completed under a mask while it fills."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from nicegui import ui

from ganvas.play.pages.complete import Completion
from ganvas.play.pages.parts import Several, Work, card, command_line, number_box, told
from ganvas.play.work.asked import Asked, Progress
from ganvas.play.work.prior import PriorDesk

_PAUSE = 0.15  # seconds between steps that are shown slowly
_EVERY, _EVERY_PLAYED = 0.1, 0.4  # seconds between steps that are shown, of a grid and of many pictures
_USUAL, _USUAL_PLAYED = 16, 6  # samples
_ANY, _EACH = "any class", "each class in turn"


class PriorPage:
    """Samples, and completions of one.

    Args:
        desk: the run's prior.
        work: runs a function off the page, and gives what it returns.
    """

    def __init__(self, desk: PriorDesk, work: Work) -> None:
        self.desk, self.work = desk, work
        self._turn = self._ended = 0  # the newest drawing, before which others stop; the one that was stopped
        self._bar: Any = None  # of the newest drawing
        self._options()
        self._sampling()
        self._completion = Completion(self)

    async def start(self) -> None:
        """Draws the first samples, and takes the first sample of the first split that has one."""
        await self._completion.start()
        await self._sample()

    # ---- how it draws ----

    def _options(self) -> None:
        desk, own = self.desk, self.desk.own
        with card(), ui.row().classes("items-end tools"):
            self._temperature = number_box("Temperature", own.temperature, 0, "temperature", step=0.05)
            self._top_k = number_box("Top k (all)", own.top_k, 1, "top-k", whole=True)
            self._top_p = number_box("Top p", own.top_p, 0, "top-p", step=0.05, most=1)
            self._guidance = number_box("Guidance", own.guidance, 0, "guidance", step=0.5)
            self._guidance.set_visibility(desk.can_guide)
            self._steps = number_box("Steps", desk.usual_steps, 1, "steps", whole=True)
            self._steps.set_visibility(desk.usual_steps is not None)
            choices: dict[Any, str] = {_ANY: _ANY, _EACH: _EACH} | dict(enumerate(desk.classes))
            self._label = ui.select(choices, value=_ANY, label="Class", with_input=len(choices) > 20)
            self._label.classes("w-44").props("data-mark=class").set_visibility(bool(desk.classes))
            self._seed = number_box("Seed", 1, 0, "seed", whole=True)
            self._raw = ui.checkbox("Raw weights").props("data-mark=raw")
            self._raw.set_visibility(desk.has_average)
            self._slow = ui.checkbox("Each step slowly").props("data-mark=slow")
            self._stop = (
                ui.button("Stop", on_click=self._stop_drawing).props("outline").props("data-mark=stop")
            )
            self._stop.set_enabled(False)

    def asked(self, num: int) -> Asked:
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
    def every(self) -> float:
        """Seconds between two steps that are shown."""
        if self._slow.value:
            return 0.0
        return _EVERY_PLAYED if self.desk.is_played_or_read else _EVERY

    def _stop_drawing(self) -> None:
        self._ended = self._turn

    async def watch(self, steps: Iterator[Progress], show: Callable[[Progress], None], bar: Any) -> None:
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
                usual = _USUAL_PLAYED if self.desk.is_played_or_read else _USUAL
                self._num = number_box("Number", usual, 1, "num", whole=True, most=self.desk.most)
                ui.button("Draw samples", on_click=self._sample).props("data-mark=draw")
            self._sample_bar = ui.linear_progress(0, show_value=False).props('aria-label="drawn"')
            self._sample_bar.set_visibility(False)
            self._samples = Several("sample", "samples", is_played_or_read=self.desk.is_played_or_read)
            self._command = command_line().props("data-mark=command")

    async def _sample(self) -> None:
        with told():
            asked = self.asked(int(self._num.value or 1))
            self.desk.drawing(asked)  # refuses what it cannot do
            self._command.text = self.desk.command(asked)

            def show(step: Progress) -> None:
                left = f", {step.hidden} codes to come" if step.hidden else ""
                caption = f"{asked.num} samples: step {step.step} of {step.steps}{left}"
                self._samples.show(step, caption, self.desk.columns(asked))

            await self.watch(self.desk.sample(asked, every=self.every), show, self._sample_bar)
