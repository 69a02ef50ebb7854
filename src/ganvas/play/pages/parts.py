"""What the pages of codes, priors and comparisons share: cards, figures, errors, work off the page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from nicegui import ui

from ganvas.errors import OptionError
from ganvas.files.text import one_line
from ganvas.play.work.asked import Progress
from ganvas.play.work.pictures import MAX_UPLOAD
from ganvas.play.work.shown_samples import Seen
from ganvas.play.work.source import Source
from ganvas.play.work.uri import EMPTY, uri_of_grid

_NOTICE = 15_000  # milliseconds that a word of what is wrong stays
_LONGEST_ROW = 24  # cells beside each other as wide as they are tall
_HEARD_OR_READ = {"audio": "sound", "pre": "text"}  # by its element


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
        _refuse(one_line(str(error), 500))


def _refuse(text: str) -> None:
    """Says what is wrong, for long enough to be read by who looked away; it can be closed."""
    ui.notify(text, type="negative", multi_line=True, timeout=_NOTICE, close_button="Close")


def card() -> Any:
    """A box for what belongs together."""
    return ui.element("section").classes("card")


class Figure:
    """A sample with its caption: a picture, whose pixels stay squares, a sound to be played, or text.

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
        self._text: Any = None
        self._mark: str | None = None
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
            if value is not None and kind not in self._others:
                self._make_other(kind)
            if kind in self._others:
                self._others[kind].set_visibility(value is not None)
        if seen.sound is not None:
            sound = self._others["audio"]
            sound.props["src"] = seen.sound
            sound.props["aria-label"] = self._caption.text or "sound"
            sound.update()
        if seen.text is not None:
            self._text.text = seen.text

    def _make_other(self, kind: str) -> None:
        with self._whole:
            self._others[kind] = other = ui.element(kind)
        self._others[kind].move(self._whole, 1)
        if kind == "pre":
            with other:
                self._text = ui.label()  # which is text, whatever is in it
            other.props("tabindex=0")
        else:
            other.props["controls"] = True
        if self._mark is not None:
            other.props(f"data-mark={self._mark}-{_HEARD_OR_READ[kind]}")

    def hide(self) -> None:
        """Takes the image away until there is another."""
        self._whole.set_visibility(False)

    def mark(self, name: str) -> Figure:
        """A name by which a test finds the image; with ``-sound`` or ``-text`` what is heard or read."""
        self._mark = name
        self._image.props(f"data-mark={name}")
        return self

    def _set(self, name: str, value: str) -> None:
        self._image.props[name] = value
        self._image.update()


class Gallery:
    """Samples that are played or read, each in a place of its own.

    Args:
        on_pick: is told the number of a sample whose button was pressed; None: there are no buttons.
        name: of a sample.
        mark: a name by which a test finds it.
    """

    def __init__(
        self,
        on_pick: Callable[[int], Any] | None = None,
        *,
        name: str = "sample",
        mark: str = "gallery",
    ) -> None:
        self._on_pick, self._name = on_pick, name
        self._whole = ui.element("div").classes("figures gallery").props(f"data-mark={mark}")
        self._figures: list[Figure] = []

    def show(self, several: Sequence[Seen]) -> None:
        """Other samples."""
        if len(several) != len(self._figures):
            self._whole.clear()
            with self._whole:
                self._figures = [self._one(number) for number in range(len(several))]
        for number, (figure, seen) in enumerate(zip(self._figures, several, strict=True)):
            figure.show_sample(seen, f"{self._name} {number}")

    def _one(self, number: int) -> Figure:
        with ui.element("div"):
            figure = Figure("")
            if self._on_pick is not None:
                on_pick = self._on_pick
                button = ui.button("Pick", on_click=lambda: on_pick(number)).props("outline dense")
                button.props["aria-label"] = f"Pick sample {number}"
        return figure


def upload_of(source: Source, on_upload: Callable[..., Any], mark: str) -> Any:
    """A button for a file of the user's own; not there where samples have no files that are read."""
    name = source.kind.name
    limit = f"upload: one {name} of at most {MAX_UPLOAD // 1_000_000} MB"
    upload = ui.upload(
        label=f"or your own {name}",
        auto_upload=True,
        max_files=1,
        max_file_size=MAX_UPLOAD,
        on_upload=on_upload,
        on_rejected=lambda: _refuse(limit),
    )
    upload.classes("upload").props(f"data-mark={mark}")
    upload.set_visibility(bool(source.endings))
    return upload


def tallness(columns: int) -> int:
    """Pixels of height that a row of cells of one pixel each has, so that a long one can be hit."""
    return max(1, round(columns / _LONGEST_ROW))


def command_line(text: str = "") -> Any:
    """A command that a reader copies."""
    return ui.label(text).classes("command").props('role="textbox" aria-readonly="true" tabindex="0"')


class Several:
    """Samples while they are drawn: pictures in a grid, or sounds and texts each in a place of its own.

    Args:
        name: of one.
        mark: a name by which a test finds them.
        is_played_or_read: which of the two.
    """

    def __init__(self, name: str, mark: str, *, is_played_or_read: bool) -> None:
        self._gallery: Gallery | None = None
        self._figure: Figure | None = None
        if is_played_or_read:
            self._caption = ui.label().classes("soft").props(f"data-mark={mark}-told")
            self._gallery = Gallery(name=name, mark=mark)
        else:
            self._figure = Figure(f"{name}s", wide=True).mark(mark)

    def show(self, step: Progress, caption: str, columns: int) -> None:
        """What stands after a step."""
        if self._figure is not None:
            self._figure.show(uri_of_grid(step.x, columns), caption)
        if self._gallery is not None:
            self._caption.text = caption
            self._gallery.show(step.seen)


def number_box(
    label: str,
    value: float | None,
    least: float,
    mark: str,
    *,
    step: float = 1,
    whole: bool = False,
    most: float | None = None,
) -> Any:
    """A box for a number, from ``least`` to ``most``, which a test finds by its mark."""
    box = ui.number(label, value=value, min=least, max=most, step=step, precision=0 if whole else None)
    return box.classes("w-28").props(f"data-mark={mark}")
