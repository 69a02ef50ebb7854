"""Data sets in MNIST's IDX files: found, checked against pinned hashes, read.

IDX (Y. LeCun): two zero bytes, type (8 = unsigned byte), number of axes, each axis as big-endian int32, data.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import struct
import zlib
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ganvas.data.datamodule import TensorDataModule
from ganvas.data.loading.stored import Stored, hold_out
from ganvas.errors import OptionError, require
from ganvas.functional.download import RemoteFile, download, require_mirrors

MAX_BYTES = 64_000_000  # of one file's content; the largest of MNIST's has 47,040,016


class IdxDataModule(TensorDataModule):
    """Four IDX files, raw or .gz, from a folder or from mirrors.

    Subclasses name the files. They are looked for in ``root``, then where a system package puts them, then
    downloaded into ``root``. Whatever the source, the sha256 of the uncompressed content must be the pinned
    one. Validation images are held out of the training file, the same for every seed.

    Args:
        root: folder with the files, or into which they are downloaded; None takes the system's only.
        num_val: training images held out for validation.
        mirrors: addresses of folders that hold the .gz files, tried in turn; empty downloads nothing.

    The others: see :class:`ganvas.data.datamodule.TensorDataModule`.
    """

    title: ClassVar[str]
    contents: ClassVar[dict[str, str]]  # name without .gz -> sha256 of the content: images, labels, twice
    system_folder: ClassVar[Path | None] = None

    def __init__(
        self,
        *,
        root: str | None = None,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        channels: int | None = 1,
        image_size: int | None = 28,
        num_classes: int | None = 10,
        num_val: int = 5000,
        mirrors: list[str] | None = None,
        resize_mode: str = "auto",
        horizontal_flip: bool = False,
        random_shift: int = 0,
    ) -> None:
        super().__init__(
            root=root,
            batch_size=batch_size,
            num_workers=num_workers,
            seed=seed,
            channels=channels,
            image_size=image_size,
            num_classes=num_classes,
            resize_mode=resize_mode,
            horizontal_flip=horizontal_flip,
            random_shift=random_shift,
        )
        require(num_val >= 0, "num_val", num_val, "must be 0 or more")
        require_mirrors(mirrors or [])
        self.num_val, self.mirrors = num_val, list(mirrors or [])

    def load(self) -> dict[str, Stored]:
        paths = self._find()
        images, labels, test_images, test_labels = (
            read_idx(paths[name], sha256=sha256, title=self.title) for name, sha256 in self.contents.items()
        )
        whole = Stored(images[:, None], labels.long())
        require(
            self.num_val < len(whole),
            "num_val",
            self.num_val,
            f"leaves none of {len(whole)} images to train on; num_val=5000 is usual",
        )
        train, val = hold_out(len(whole), [self.num_val], self.title)
        return {
            "train": whole.rows(train),
            "val": whole.rows(val),
            "test": Stored(test_images[:, None], test_labels.long()),
        }

    def _find(self) -> dict[str, Path]:
        folders = []
        if self.root is not None:
            root = Path(self.root).expanduser()
            require(root.is_dir() or not root.exists(), "root", self.root, "is a file; name a folder")
            folders.append(root)
        if self.system_folder is not None:
            folders.append(self.system_folder)
        found: dict[str, Path] = {}
        for name in self.contents:
            for path in (folder / (name + suffix) for folder in folders for suffix in ("", ".gz")):
                if path.is_file():
                    found[name] = path
                    break
        missing = [name for name in self.contents if name not in found]
        if missing:
            if self.root is None:
                raise OptionError("root", "null", f"name the folder of {self.title}'s files; data.root=/path")
            files = [
                RemoteFile(f"{name}.gz", self.contents[name], MAX_BYTES, gzipped=True) for name in missing
            ]
            found |= zip(missing, download(files, folder=folders[0], mirrors=self.mirrors))
        return found


def read_idx(path: Path, *, sha256: str, title: str) -> Tensor:
    """An IDX file, raw or .gz, as a uint8 tensor of the shape that its header names.

    Raises:
        OptionError: unreadable, or its content's sha256 is not the one given.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = f"cannot be read ({error}); delete it and it is downloaded again"
        raise OptionError("root", str(path), reason) from error
    require(
        hashlib.sha256(content).hexdigest() == sha256,
        "root",
        str(path),
        f"is not {title}'s file of this name, or is damaged (sha256); delete it and it is downloaded again",
    )
    return parse_idx(content)


def parse_idx(content: bytes) -> Tensor:
    """The content of an IDX file of unsigned bytes, whose hash has been checked, as a uint8 tensor."""
    zeros, kind, axes = struct.unpack_from(">HBB", content)
    shape = struct.unpack_from(f">{axes}I", content, 4)
    start = 4 + 4 * axes
    assert (zeros, kind, len(content)) == (0, 8, start + math.prod(shape)), (zeros, kind, shape)
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy())
