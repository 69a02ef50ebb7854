"""A grid of cells to click at, or to walk through by the arrow keys: a map of codes, a mask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui

from ganvas.play.work.codes import Cell
from ganvas.play.work.uri import EMPTY

_WAYS = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}


class Cells:
    """An image of a pixel a cell, under a cursor and, if there is one, a region.

    Args:
        told: what it is, for screen readers.
        on_cell: is told a cell that was clicked, or at which Enter or the space bar was pressed.
        on_key: is told any other key that was pressed on it, and the cursor's cell.
        on_move: is told the cursor's cell where that moved.
    """

    def __init__(
        self,
        told: str,
        on_cell: Callable[[Cell], Any],
        *,
        on_key: Callable[[str, Cell], Any] | None = None,
        on_move: Callable[[Cell], Any] | None = None,
    ) -> None:
        self._on_cell, self._on_key, self._on_move = on_cell, on_key, on_move
        self.rows, self.columns, self._cell = 1, 1, (1, 1)
        self.cursor: Cell = (0, 0)
        self._region: tuple[Cell, Cell] | None = None
        self._over: Cell | None = None
        self.image = ui.interactive_image(EMPTY, size=(1, 1), on_mouse=self._mouse, events=["click"])
        self.image.classes("cells").props["tabindex"] = "0"
        self.image.props["role"] = "application"
        self.image.props["aria-label"] = told
        for name, way in _WAYS.items():
            self.image.on(f"keydown.{name}.prevent", lambda way=way: self._walk(*way))
        self.image.on("keydown.enter.prevent", lambda: self._on_cell(self.cursor))
        self.image.on("keydown.space.prevent", lambda: self._on_cell(self.cursor))
        if on_key is not None:
            self.image.on("keydown", self._key, args=["key"])

    def show(self, uri: str, rows: int, columns: int, cell: tuple[int, int] = (1, 1)) -> None:
        """Another image, of so many cells; each has the height and width ``cell`` in the image's pixels."""
        if (rows, columns, cell) != (self.rows, self.columns, self._cell):
            self.rows, self.columns, self._cell, self._region = rows, columns, cell, None
            self.cursor = (min(self.cursor[0], rows - 1), min(self.cursor[1], columns - 1))
            self.image.props["size"] = (columns * cell[1], rows * cell[0])
        self.image.set_source(uri)
        self._draw()

    def mark(self, region: tuple[Cell, Cell] | None) -> None:
        """Shows a rectangle between two cells, both included."""
        self._region = region
        self._draw()

    def _walk(self, down: int, right: int) -> None:
        self._move((self.cursor[0] + down, self.cursor[1] + right))

    def _move(self, cell: Cell) -> None:
        self.cursor = (min(max(cell[0], 0), self.rows - 1), min(max(cell[1], 0), self.columns - 1))
        self._draw()
        if self._on_move is not None:
            self._on_move(self.cursor)

    def _mouse(self, event: Any) -> Any:
        self._move((int(event.image_y / self._cell[0]), int(event.image_x / self._cell[1])))
        return self._on_cell(self.cursor)

    def _key(self, event: Any) -> Any:
        key = event.args.get("key", "") if isinstance(event.args, dict) else ""
        if self._on_key is not None and len(key) == 1 and key != " ":
            return self._on_key(key, self.cursor)
        return None

    def _draw(self) -> None:
        row, column = self.cursor
        marks = [self._rectangle(row, column, 1, 1, "cursor")]
        if self._region is not None:
            (top, bottom), (left, right) = (sorted(pair) for pair in zip(*self._region, strict=True))
            marks.append(self._rectangle(top, left, bottom - top + 1, right - left + 1, "region"))
        self.image.content = "".join(marks)

    def _rectangle(self, top: int, left: int, height: int, width: int, kind: str) -> str:
        """Of cells; twice, black under white, so that it is seen on any colour."""
        down, right = self._cell
        sides = f'x="{left * right}" y="{top * down}" width="{width * right}" height="{height * down}"'
        return f'<rect class="{kind} under" {sides} /><rect class="{kind}" {sides} />'
