"""Samples as a file each, in a folder."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor

from ganvas.cli.trained.files.interface import SampleFile
from ganvas.cli.trained.files.options import samples_in
from ganvas.errors import OptionError, require
from ganvas.files.write import Workshop
from ganvas.functional.images import enlarge
from ganvas.modality.drawing.files import check_size
from ganvas.modality.interface import Modality

_DIGITS, _CLASS_DIGITS = 6, 3  # at least; names sort as their numbers do


def check_folder(
    folder: Path,
    ending: str,
    shape: torch.Size,
    labels: Tensor | None,
    modality: Modality,
    *,
    num: int,
    scale: int | None = None,
) -> None:
    """Raises OptionError where samples cannot lie in the folder as files, or not beside what is there.

    Args:
        shape: of a sample.
        labels: classes int64 [num] of all samples, where they have some.
    """
    is_image = modality.has_pixels
    if not modality.endings or (is_image and shape[0] not in (1, 3)):
        rule = "images have 1 or 3 channels [C, H, W]" if is_image else "they have no files of their own"
        told = f"these samples have shape {list(shape)}, and {rule}; --out F.npz writes any samples"
        raise OptionError("--out", f"{folder}/", told)
    if is_image:
        factor = scale or 1
        option, value = ("--out", f"{folder}/") if scale is None else ("--scale", scale)
        check_size(ending, shape[2] * factor, shape[1] * factor, option=option, value=value)
    names = _names(num, labels, num=num, ending=ending)
    written = {Path(name) for name in names}
    other = next((path for path in samples_in(folder, modality) if path not in written), None)
    rule = f"{other} would stay among the samples, whose names are others; empty the folder, or name another"
    require(other is None, "--out", f"{folder}/", rule)


class SampleFolder(SampleFile):
    """``000000.png`` and so on by the samples' numbers; with classes ``003/000000.png`` of class 3.

    All files get their names once the last one is written; a new folder gets its own last.

    Args:
        out: the folder; it may be there already.
        ending: of the files, the format.
        scale: images are enlarged by this whole factor.
    """

    def __init__(
        self, out: Path, num: int, modality: Modality, *, ending: str, scale: int | None = None
    ) -> None:
        super().__init__(out, num, modality)
        self.ending, self.scale = ending, scale or 1
        self._is_new = not out.exists()
        self._labels: list[Tensor] = []
        self._count = 0
        self._made: list[Path] = []  # what was not there before
        try:
            (out.parent if self._is_new else out).mkdir(parents=True, exist_ok=True)
            self._shop = Workshop(out if self._is_new else out / "samples")
        except BaseException:
            self._remove_made()
            raise

    def append(self, x: Tensor, label: Tensor | None) -> None:
        for sample in self.modality.to_stored(x).cpu():
            content = io.BytesIO()
            self.modality.write(
                content, self.ending, enlarge(sample, self.scale) if self.scale > 1 else sample
            )
            self._shop.write(f"{self._count}{self.ending}", content.getvalue())
            self._count += 1
        if label is not None:
            self._labels.append(label.cpu())

    def close(self) -> None:
        labels = torch.cat(self._labels) if self._labels else None
        place = self._shop.path if self._is_new else self.out
        paths = [place / name for name in _names(self._count, labels, num=self.num, ending=self.ending)]
        if not self._is_new:
            self._shop.sync()
        for folder in sorted({path.parent for path in paths} - {place}):
            if not folder.is_dir():
                folder.mkdir()
                self._made.append(folder)
        for i, path in enumerate(paths):
            is_new = not path.exists()
            (self._shop.path / f"{i}{self.ending}").replace(path)
            if is_new:
                self._made.append(path)
        if self._is_new:
            self._shop.sync()
            os.rename(place, self.out)
        self._shop.close()

    def abandon(self) -> None:
        self._shop.close()
        self._remove_made()

    def _remove_made(self) -> None:
        for path in reversed([] if self._is_new else self._made):
            with suppress(OSError):  # others have put something there
                path.rmdir() if path.is_dir() else path.unlink()


def _names(count: int, labels: Tensor | None, *, num: int, ending: str) -> list[str]:
    """The first ``count`` files, relative to the folder."""
    digits = max(_DIGITS, len(str(num - 1)))
    names = [f"{i:0{digits}}{ending}" for i in range(count)]
    if labels is None:
        return names
    wide = max(_CLASS_DIGITS, len(str(int(labels.max()))))
    return [f"{label:0{wide}}/{name}" for label, name in zip(labels.tolist(), names, strict=True)]
