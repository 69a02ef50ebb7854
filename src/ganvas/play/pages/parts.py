"""What the pages of codes, priors and comparisons share: cards, figures, errors, work off the page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from nicegui import ui

from ganvas.errors import OptionError
from ganvas.files.text import one_line
from ganvas.play.work.shown_samples import Seen
from ganvas.play.work.uri import EMPTY


class Work(Protocol):
    """Runs a function where it does not block the page."""

    def __call__(self, function: Callable[..., Any], *args: Any, **options: Any) -> Awaitable[Any]: ...


class Latest:
    """Fulfils one wish at a time; of those that come meanwhile the newest follows, the others do not."""

    def __init__(self) -> None:
        self._running = False
        self._next: Callable[[], Awaitable[None]] | None = None

    async def run(self, wish: Callable[[], Awaitable[None]]) -> None:
        """Fulfils the wish, or leaves it to whoever is at work."""
        self._next = wish
        if self._running:
            return
        self._running = True
        try:
            while self._next is not None:
                wish, self._next = self._next, None
                await wish()
        finally:
            self._running = False


@contextmanager
def told() -> Iterator[None]:
    """An error of the user's becomes a word on the page."""
    try:
        yield
    except OptionError as error:
        ui.notify(one_line(str(error), 500), type="negative", multi_line=True, close_button="Close")


def card() -> Any:
    """A box for what belongs together."""
    return ui.element("section").classes("card")


class Figure:
    """An image with its caption; its pixels stay squares.

    Args:
        caption: as text.
        small: beside a tool, without the width of others.
        wide: many images, as wide as the page.
    """

    def __init__(self, caption: str, *, small: bool = False, wide: bool = False) -> None:
        self._whole = ui.element("figure").classes("small" if small else "wide" if wide else "")
        self._whole.set_visibility(not wide)  # until there is an image
        with self._whole:
            self._image = ui.element("img").classes("pixels")
            with ui.element("figcaption"):
                self._caption = ui.label(caption)
        self._others: dict[str, Any] = {}  # what is heard or read, by its element
        self._set("src", EMPTY)
        self._set("alt", caption)

    def show(self, uri: str, caption: str | None = None) -> None:
        """Another image, and where given another caption."""
        self._whole.set_visibility(True)
        self._set("src", uri)
        if caption is not None:
            self._caption.text = caption
            self._set("alt", caption)

    def show_sample(self, seen: Seen, caption: str | None = None) -> None:
        """A sample: its picture, a sound to be played below it, text as it is."""
        self.show(seen.picture or EMPTY, caption)
        self._image.set_visibility(seen.picture is not None)
        for kind, value in (("audio", seen.sound), ("pre", seen.text)):
            if value is None:
                continue
            if kind not in self._others:
                with self._whole:
                    self._others[kind] = ui.element(kind)
                self._others[kind].move(self._whole, 1)
            other = self._others[kind]
            if kind == "pre":
                other.clear()
                with other:
                    ui.label(value)  # which is text, whatever is in it
                other.props('tabindex="0"')
            else:
                other.props["src"] = value
                other.props["controls"] = True
                other.props["aria-label"] = caption or "sound"
                other.update()

    def hide(self) -> None:
        """Takes the image away until there is another."""
        self._whole.set_visibility(False)

    def mark(self, name: str) -> Figure:
        """A name by which a test finds the image."""
        self._image.props(f"data-mark={name}")
        return self

    def _set(self, name: str, value: str) -> None:
        self._image.props[name] = value
        self._image.update()


class Gallery:
    """Samples that are played or read, each in a place of its own.

    Args:
        on_pick: is told the number of a sample whose button was pressed; None: there are no buttons.
    """

    def __init__(self, on_pick: Callable[[int], Any] | None = None) -> None:
        self._on_pick = on_pick
        self._whole = ui.element("div").classes("figures gallery").props("data-mark=gallery")
        self._figures: list[Figure] = []

    def show(self, several: Sequence[Seen]) -> None:
        """Other samples."""
        if len(several) != len(self._figures):
            self._whole.clear()
            with self._whole:
                self._figures = [self._one(number) for number in range(len(several))]
        for number, (figure, seen) in enumerate(zip(self._figures, several, strict=True)):
            figure.show_sample(seen, f"sample {number}")

    def _one(self, number: int) -> Figure:
        with ui.element("div"):
            figure = Figure("")
            if self._on_pick is not None:
                on_pick = self._on_pick
                button = ui.button("Pick", on_click=lambda: on_pick(number)).props("outline dense")
                button.props["aria-label"] = f"Pick sample {number}"
        return figure


def command_line(text: str = "") -> Any:
    """A command that a reader copies."""
    return ui.label(text).classes("command").props('role="textbox" aria-readonly="true" tabindex="0"')
