"""Samples as arrays in a .npz that grows."""

from __future__ import annotations

import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor

from ganvas.cli.trained.files.interface import SampleFile
from ganvas.files.write import WholeFile
from ganvas.modality.interface import Modality


class _Zip(zipfile.ZipFile):
    def __del__(self) -> None:
        """One that is abandoned needs no end, and its file is closed."""


class ArrayFile(SampleFile):
    """``images`` uint8 [N, H, W, C] (or what the modality calls and stores) and ``labels`` int64 [N], as
    numpy packs them."""

    def __init__(self, out: Path, num: int, modality: Modality) -> None:
        super().__init__(out, num, modality)
        self._file = WholeFile(out)
        self._archive: zipfile.ZipFile | None = None  # made inside of the block, which closes it
        self._images: Any = None
        self._labels: list[Tensor] = []

    def append(self, x: Tensor, label: Tensor | None) -> None:
        rows = self.modality.arrays(x).numpy()
        if self._archive is None:
            self._archive = _Zip(self._file.file, "w", zipfile.ZIP_DEFLATED)
            self._images = self._begin(self.modality.plural, rows)
        self._images.write(rows.tobytes())
        if label is not None:
            self._labels.append(label.cpu())

    def close(self) -> None:
        assert self._archive is not None
        self._images.close()
        if self._labels:
            labels = torch.cat(self._labels).numpy()
            with self._begin("labels", labels) as entry:
                entry.write(labels.tobytes())
        self._archive.close()
        self._file.commit()

    def abandon(self) -> None:
        for part in (self._images, self._archive):
            with suppress(OSError, ValueError):  # of a full disk, again
                if part is not None:
                    part.close()
        self._file.abandon()

    def _begin(self, name: str, rows: Any) -> Any:
        """The entry of an array of ``num`` rows like these, its head written."""
        assert self._archive is not None
        entry = self._archive.open(f"{name}.npy", "w", force_zip64=True)
        head = {
            "descr": numpy.lib.format.dtype_to_descr(rows.dtype),
            "fortran_order": False,
            "shape": (self.num, *rows.shape[1:]),
        }
        numpy.lib.format.write_array_header_1_0(entry, head)
        return entry
