"""Samples as one image; that of a large grid grows."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import torch
from torch import Tensor

from ganvas.cli.trained.files.interface import SampleFile
from ganvas.functional.images import GAP, GAP_LEVEL, grid, grid_size
from ganvas.modality.drawing.files import check_size, save_image
from ganvas.modality.drawing.png import PngRows
from ganvas.modality.interface import Modality

_WHOLE = 16 * 2**20  # bytes of a grid up to which a PNG is written at once


def columns_of(num: int, columns: int | None) -> int:
    """Images in a row of the grid: as said, or about the square root of their number."""
    return min(columns or max(1, round(num**0.5)), num)


def check_grid(
    out: Path, shape: torch.Size, num: int, *, columns: int | None = None, scale: int | None = None
) -> None:
    """Raises OptionError where the grid of ``num`` images [C, H, W] is too large for its format."""
    columns = columns_of(num, columns)
    in_rows = out.suffix == ".png"
    count = columns if in_rows else num
    height, width = grid_size(shape[1], shape[2], count=count, columns=columns, factor=scale)
    option, value = ("--out", out) if scale is None else ("--scale", scale)
    check_size(out.suffix, width, height, option=option, value=value, in_rows=in_rows)


class GridFile(SampleFile):
    """A grid of images or a scatter plot; the PNG of a large grid is written a row of images at a time.

    Args:
        out: ends in an ending of images.
        columns: see :func:`columns_of`.
        scale: see :func:`ganvas.functional.images.grid`.
    """

    def __init__(
        self,
        out: Path,
        num: int,
        modality: Modality,
        *,
        columns: int | None = None,
        scale: int | None = None,
    ) -> None:
        super().__init__(out, num, modality)
        self.columns, self.scale = columns_of(num, columns), scale
        self._points: list[Tensor] = []
        self._waiting: list[Tensor] = []  # images of the row that is not full; all where there is one write
        self._rows: PngRows | None = None
        self._stack = ExitStack()
        self._is_whole: bool | None = None

    def append(self, x: Tensor, label: Tensor | None) -> None:
        if self.modality.together:
            self._points.append(x.detach().cpu())
            return
        images = self.modality.pictures(x)
        if self._is_whole is None:
            self._is_whole = self.out.suffix != ".png" or self._bytes(images) <= _WHOLE
        self._waiting += images.unbind()
        while not self._is_whole and len(self._waiting) >= self.columns:
            self._write_row(self._waiting[: self.columns])
            del self._waiting[: self.columns]

    def close(self) -> None:
        if self._points:
            save_image(self.out, self.modality.draw(torch.cat(self._points)))
        elif self._is_whole:
            save_image(self.out, grid(torch.stack(self._waiting), self.columns, self.scale))
        else:
            self._close_rows()

    def abandon(self) -> None:
        self._stack.__exit__(RuntimeError, RuntimeError(), None)

    def _close_rows(self) -> None:
        if self._waiting:
            empty = torch.full_like(self._waiting[0], GAP_LEVEL)
            self._write_row([*self._waiting, *[empty] * (self.columns - len(self._waiting))])
        assert self._rows is not None
        below = torch.full((self._rows.channels, GAP, self._rows.width), GAP_LEVEL, dtype=torch.uint8)
        self._rows.append(below)
        self._stack.close()

    def _write_row(self, images: list[Tensor]) -> None:
        row = grid(torch.stack(images), self.columns, self.scale)
        row = row[:, :-GAP]  # [C, H' + gap, W]; the next one has its own
        if self._rows is None:
            height, width = self._size(images[0])
            self._rows = self._stack.enter_context(
                PngRows(self.out, width=width, height=height, channels=row.shape[0])
            )
        self._rows.append(row)

    def _size(self, image: Tensor) -> tuple[int, int]:
        """Height and width of the whole grid, pixels."""
        height, width = image.shape[1:]
        return grid_size(height, width, count=self.num, columns=self.columns, factor=self.scale)

    def _bytes(self, images: Tensor) -> int:
        height, width = self._size(images[0])
        return images.shape[1] * height * width
