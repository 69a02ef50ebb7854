"""Digits: 1,797 handwritten digits of 8x8 (Alpaydin & Kaynak 1998), shipped inside scikit-learn."""

from __future__ import annotations

import gzip
import io
import zlib
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ganvas.data.datamodule import SPLITS, TensorDataModule
from ganvas.data.loading.stored import Stored, hold_out
from ganvas.errors import require
from ganvas.files.read import open_regular

_SHAPE = (1797, 65)  # images; levels and the class of each
_MAX_BYTES = 1_000_000  # of the table as text, which has 264,712
_NUM_HELD_OUT = 180  # images in val, and as many in test


@dataclass(kw_only=True, eq=False, repr=False)
class Digits(TensorDataModule):
    """1,437 training, 180 validation and 180 test images, the same for every seed; 10 classes, 1 channel.

    Args: see :class:`ganvas.data.datamodule.TensorDataModule`.
    """

    root: None = field(default=None, init=False)
    channels: int | None = 1
    image_size: int | None = 8
    num_classes: int | None = 10

    def load(self) -> dict[str, Stored]:
        table = _read_table()
        levels = np.round(table[:, :64].reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)  # stored as 0 .. 16
        whole = Stored(torch.from_numpy(levels)[:, None], torch.from_numpy(table[:, 64].astype(np.int64)))
        parts = hold_out(len(whole), [_NUM_HELD_OUT, _NUM_HELD_OUT], "digits")
        return {name: whole.rows(rows) for name, rows in zip(SPLITS, parts)}


def _read_table() -> NDArray[np.float64]:
    """64 levels and the class of each image, float64 [1797, 65].

    From scikit-learn's file: the import of ``sklearn.datasets`` takes longer than all else between the
    import of torch and the first step. Where a version keeps it elsewhere, scikit-learn is asked.
    """
    package = find_spec("sklearn")
    for folder in (package and package.submodule_search_locations) or ():
        path = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        try:
            with open_regular(path) as file:
                text = gzip.GzipFile(fileobj=file).read(_MAX_BYTES)
            if not text.strip():
                continue  # numpy would warn
            table = np.loadtxt(io.BytesIO(text), delimiter=",")
            if _are_digits(table):
                return table
        except (OSError, EOFError, zlib.error, ValueError):
            continue
    from sklearn.datasets import load_digits

    digits = load_digits()
    table = np.column_stack([digits.data, digits.target])
    reason = "holds other digits than it is known to, or is damaged; install scikit-learn again"
    require(_are_digits(table), "data", "digits", f"scikit-learn's file {reason}")
    return table


def _are_digits(table: NDArray[np.float64]) -> bool:
    """Whether these are so many images of levels 0 .. 16 and classes 0 .. 9."""
    if table.shape != _SHAPE or not np.isfinite(table).all() or (table != np.round(table)).any():
        return False
    levels, classes = table[:, :64], table[:, 64]
    return bool(levels.min() >= 0 and levels.max() <= 16 and classes.min() >= 0 and classes.max() <= 9)
