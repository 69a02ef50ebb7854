"""The base of published image data sets: files of a folder, downloaded where they are missing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ganvas.data.datamodule import TensorDataModule
from ganvas.data.loading.stored import Stored, hold_out
from ganvas.errors import require
from ganvas.files.folders import expanded
from ganvas.functional.download import require_mirrors


@dataclass(kw_only=True, eq=False, repr=False)
class DownloadedDataModule(TensorDataModule):
    """Images that are published as a training and a test set; validation is held out of the first.

    Args:
        root: folder with the files, or into which they are downloaded.
        num_val: training images held out for validation, the same for every seed.
        mirrors: addresses of folders that hold the files, tried in turn; empty downloads nothing.

    The others: see :class:`ganvas.data.datamodule.TensorDataModule`.
    """

    title: ClassVar[str]  # the data set's name, as its authors write it

    num_classes: int | None = 10
    num_val: int = 5000
    mirrors: list[str] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.num_val >= 0, "num_val", self.num_val, "must be 0 or more")
        require_mirrors(self.mirrors or [])

    def _folder(self) -> Path:
        """``root``, which may not exist yet."""
        require(self.root is not None, "root", "null", f"name the folder of {self.title}; data.root=/path")
        root = expanded(str(self.root), "root")
        require(root.is_dir() or not root.exists(), "root", self.root, "is a file; name a folder")
        return root

    def _splits_of(self, train: Stored, test: Stored) -> dict[str, Stored]:
        """The three splits, from the two that are published."""
        require(
            self.num_val < len(train),
            "num_val",
            self.num_val,
            f"leaves none of {len(train)} images to train on; num_val=5000 is usual",
        )
        rows, val_rows = hold_out(len(train), [self.num_val], self.title)
        return {"train": train.rows(rows), "val": train.rows(val_rows), "test": test}
