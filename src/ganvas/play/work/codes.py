"""Codes of one image in the hands of a user: levels, cells, painting, swapping."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ganvas.functional.code_layout import CodeLayout

Cell = tuple[int, int]  # row and column
Maps = tuple[Tensor, ...]  # of each map of codes int64 [levels, *positions]


@dataclass(frozen=True)
class Level:
    """One level of the codes as a grid of cells.

    Attributes:
        number: from 1, through all maps.
        map: number of its map, from 0.
        within: its place in the map, from 0.
        size: number of codes.
        rows: of cells; 1 where positions are a row, or one alone.
        columns: likewise.
        is_grid: whether a cell has a place in the image.
    """

    number: int
    map: int
    within: int
    size: int
    rows: int
    columns: int
    is_grid: bool

    @property
    def told(self) -> str:
        """What it is, for people."""
        places = f"{self.rows} x {self.columns} codes" if self.is_grid else f"a row of {self.columns} codes"
        alone = self.rows * self.columns == 1
        return f"level {self.number}: {'one code' if alone else places} of {self.size:,}"


def levels_of(layout: CodeLayout) -> list[Level]:
    """Every level, the first map's first."""
    found: list[Level] = []
    for number, (sizes, at) in enumerate(zip(layout.sizes, layout.positions, strict=True)):
        rows, columns = sides(at)
        for within, size in enumerate(sizes):
            found.append(Level(len(found) + 1, number, within, size, rows, columns, len(at) == 2))
    return found


def sides(positions: Sequence[int]) -> tuple[int, int]:
    """Rows and columns of a map's positions."""
    if len(positions) == 2:
        return positions[0], positions[1]
    return 1, positions[0] if positions else 1


def cells_of(maps: Maps, level: Level) -> Tensor:
    """A level's codes int64 [rows, columns], on the CPU."""
    return maps[level.map][level.within].reshape(level.rows, level.columns).cpu()


def paint(maps: Maps, level: Level, cells: Collection[Cell], code: int) -> Maps:
    """The same with one code in some cells of a level.

    Raises:
        ValueError: a code that the level lacks, or a cell outside of it.
    """
    if not 0 <= code < level.size:
        raise ValueError(f"code {code}: must be from 0 to {level.size - 1}")
    changed = list(maps)
    changed[level.map] = maps[level.map].clone()
    grid = changed[level.map][level.within].view(level.rows, level.columns)
    for row, column in cells:
        if not (0 <= row < level.rows and 0 <= column < level.columns):
            raise ValueError(f"cell {row}, {column}: there are {level.rows} x {level.columns}")
        grid[row, column] = code
    return tuple(changed)


@dataclass(frozen=True)
class Region:
    """A rectangle of the image, in shares of its height and width from the upper left."""

    top: float
    left: float
    bottom: float
    right: float

    @classmethod
    def between(cls, level: Level, first: Cell, last: Cell) -> Region:
        """What two cells of a level span, both included, in any order."""
        (top, bottom), (left, right) = (sorted(pair) for pair in zip(first, last, strict=True))
        return cls(
            top / level.rows, left / level.columns, (bottom + 1) / level.rows, (right + 1) / level.columns
        )

    def holds(self, rows: int, columns: int) -> Tensor:
        """bool [rows, columns]: whether a cell of so many has its centre inside."""
        y = (torch.arange(rows) + 0.5) / rows
        x = (torch.arange(columns) + 0.5) / columns
        return ((y > self.top) & (y < self.bottom))[:, None] & ((x > self.left) & (x < self.right))


def swap(one: Maps, other: Maps, region: Region, *, level: Level | None = None) -> tuple[Maps, Maps]:
    """Both with each other's codes inside a region: of every level, or of one.

    Maps of other sizes swap the positions whose centres lie inside. A map without places in the image is a
    row of cells.
    """
    changed: tuple[list[Tensor], list[Tensor]] = ([], [])
    for number, (a, b) in enumerate(zip(one, other, strict=True)):
        inside = region.holds(*sides(a.shape[1:])).reshape(1, *a.shape[1:]).to(a.device)
        if level is not None:
            chosen = torch.arange(len(a)) == level.within
            inside = inside & chosen.view(-1, *[1] * (a.ndim - 1)).to(a.device) & (number == level.map)
        changed[0].append(torch.where(inside, b, a))
        changed[1].append(torch.where(inside, a, b))
    return tuple(changed[0]), tuple(changed[1])


def moved(one: Maps, other: Maps, level: Level) -> int:
    """In how many cells of a level two images differ."""
    return int((cells_of(one, level) != cells_of(other, level)).sum())


def most_used(maps: Maps, level: Level, most: int) -> list[tuple[int, int]]:
    """The codes of a level and how many cells hold them, the most used first; of equals the lower index."""
    codes, counts = cells_of(maps, level).unique(return_counts=True)
    order = counts.argsort(descending=True, stable=True)[:most]
    return list(zip(codes[order].tolist(), counts[order].tolist(), strict=True))
