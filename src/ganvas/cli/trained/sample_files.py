"""Samples as a file that grows: each format takes them in pieces, and holds no more than a bounded part."""

from __future__ import annotations

import zipfile
from abc import ABC, abstractmethod
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy
import torch
from torch import Tensor

from ganvas.callback.drawing.images import draw, levels, save_png
from ganvas.callback.drawing.png import PngRows
from ganvas.cli.arguments import as_array
from ganvas.functional.images import GAP, GAP_LEVEL, grid

_WHOLE = 16 * 2**20  # bytes of a grid up to which it is drawn at once


class SampleFile(ABC):
    """Where samples go: ``with open_samples(...) as file:`` and :meth:`append` for each piece.

    The file has its name once the block has ended well; else nothing is left of it.

    Args:
        out: the file; its folder is there.
        num: how many samples will come.
    """

    def __init__(self, out: Path, num: int) -> None:
        self.out, self.num = out, num
        self.part = out.with_name(f".{out.name}.part")

    @abstractmethod
    def append(self, x: Tensor, label: Tensor | None) -> None:
        """The next samples [B, ...] in [-1, 1], and their classes int64 [B] where they have some."""

    @abstractmethod
    def close(self) -> None:
        """Ends the file; all samples have come."""

    @abstractmethod
    def abandon(self) -> None:
        """Removes what is there of the file."""

    def __enter__(self) -> SampleFile:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()


def open_samples(out: Path, num: int, *, columns: int | None = None) -> SampleFile:
    """The file of a format, by its ending: ``.npz`` or ``.png``.

    Args:
        columns: images in a row of a grid; None: about the square root of ``num``.
    """
    return ArrayFile(out, num) if out.suffix == ".npz" else GridFile(out, num, columns)


class ArrayFile(SampleFile):
    """``images`` uint8 [N, H, W, C] (points as they are) and ``labels`` int64 [N], as numpy packs them."""

    def __init__(self, out: Path, num: int) -> None:
        super().__init__(out, num)
        self._archive = zipfile.ZipFile(self.part, "w", zipfile.ZIP_DEFLATED)
        self._images: Any = None
        self._labels: list[Tensor] = []

    def append(self, x: Tensor, label: Tensor | None) -> None:
        rows = as_array(x)
        if self._images is None:
            self._images = self._begin("images", rows)
        self._images.write(rows.tobytes())
        if label is not None:
            self._labels.append(label.cpu())

    def close(self) -> None:
        self._images.close()
        if self._labels:
            labels = as_array(torch.cat(self._labels))
            with self._begin("labels", labels) as entry:
                entry.write(labels.tobytes())
        self._archive.close()
        self.part.replace(self.out)

    def abandon(self) -> None:
        with suppress(OSError, ValueError):  # of a full disk, again
            if self._images is not None:
                self._images.close()
            self._archive.close()
        self.part.unlink(missing_ok=True)

    def _begin(self, name: str, rows: Any) -> Any:
        """The entry of an array of ``num`` rows like these, its head written."""
        entry = self._archive.open(f"{name}.npy", "w", force_zip64=True)
        head = {
            "descr": numpy.lib.format.dtype_to_descr(rows.dtype),
            "fortran_order": False,
            "shape": (self.num, *rows.shape[1:]),
        }
        numpy.lib.format.write_array_header_1_0(entry, head)
        return entry


class GridFile(SampleFile):
    """A grid of images or a scatter plot; a large grid is written a row of images at a time."""

    def __init__(self, out: Path, num: int, columns: int | None = None) -> None:
        super().__init__(out, num)
        self.columns = min(columns or max(1, round(num**0.5)), num)
        self._waiting: list[Tensor] = []  # of the row that is not full, or all where the image is small
        self._rows: PngRows | None = None
        self._stack = ExitStack()
        self._is_whole: bool | None = None

    def append(self, x: Tensor, label: Tensor | None) -> None:
        x = x.detach().cpu()
        if self._is_whole is None:
            self._is_whole = x.ndim != 4 or self._bytes(x) <= _WHOLE
        if self._is_whole:
            self._waiting.append(x)
            return
        self._waiting += levels(x).unbind()
        while len(self._waiting) >= self.columns:
            self._write_row(self._waiting[: self.columns])
            del self._waiting[: self.columns]

    def close(self) -> None:
        if self._is_whole:
            save_png(self.out, draw(torch.cat(self._waiting), columns=self.columns))
            return
        if self._waiting:
            empty = torch.full_like(self._waiting[0], GAP_LEVEL)
            self._write_row([*self._waiting, *[empty] * (self.columns - len(self._waiting))])
        assert self._rows is not None
        below = torch.full((self._rows.channels, GAP, self._rows.width), GAP_LEVEL, dtype=torch.uint8)
        self._rows.append(below)
        self._stack.close()

    def abandon(self) -> None:
        self._stack.__exit__(RuntimeError, RuntimeError(), None)

    def _write_row(self, images: list[Tensor]) -> None:
        row = grid(torch.stack(images), self.columns)[:, :-GAP]  # [C, H' + gap, W]; the next one has its own
        if self._rows is None:
            channels, height, width = row.shape
            height = height * -(-self.num // self.columns) + GAP
            self._rows = self._stack.enter_context(
                PngRows(self.out, width=width, height=height, channels=channels)
            )
        self._rows.append(row)

    def _bytes(self, x: Tensor) -> int:
        """Of the whole image, uint8."""
        one = grid(levels(x[:1]), 1)
        return one.numel() * self.columns * -(-self.num // self.columns)
