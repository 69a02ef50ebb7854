"""What the pages of codes, priors and comparisons share: cards, figures, errors, work off the page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from nicegui import ui

from ganvas.errors import OptionError
from ganvas.files.text import one_line
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
        self._set("src", EMPTY)
        self._set("alt", caption)

    def show(self, uri: str, caption: str | None = None) -> None:
        """Another image, and where given another caption."""
        self._whole.set_visibility(True)
        self._set("src", uri)
        if caption is not None:
            self._caption.text = caption
            self._set("alt", caption)

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


def command_line(text: str = "") -> Any:
    """A command that a reader copies."""
    return ui.label(text).classes("command").props('role="textbox" aria-readonly="true" tabindex="0"')
