"""Data sets in MNIST's IDX files: found, checked against pinned hashes, read.

IDX (Y. LeCun): two zero bytes, type (8 = unsigned byte), number of axes, each axis as big-endian int32, data.
"""

from __future__ import annotations

import hashlib
import math
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ganvas.data.kinds.downloaded import DownloadedDataModule
from ganvas.data.loading.stored import Stored
from ganvas.errors import OptionError, require
from ganvas.files.read import open_regular
from ganvas.functional.download import RemoteFile, download

MAX_BYTES = 64_000_000  # of one file's content; the largest of MNIST's has 47,040,016


@dataclass(kw_only=True, eq=False, repr=False)
class IdxDataModule(DownloadedDataModule):
    """Four IDX files, raw or .gz, from a folder or from mirrors.

    Subclasses name the files. They are looked for in ``root``, then where a system package puts them, then
    downloaded into ``root``. Whatever the source, the sha256 of the uncompressed content must be the pinned
    one.

    Args:
        root: folder with the files, or into which they are downloaded; None takes the system's only.

    The others: see :class:`ganvas.data.kinds.downloaded.DownloadedDataModule`; mirrors hold the .gz files.
    """

    contents: ClassVar[dict[str, str]]  # name without .gz -> sha256 of the content: images, labels, twice
    system_folder: ClassVar[Path | None] = None

    channels: int | None = 1
    image_size: int | None = 28

    def load(self) -> dict[str, Stored]:
        paths = self._find()
        images, labels, test_images, test_labels = (
            read_idx(paths[name], sha256=sha256, title=self.title) for name, sha256 in self.contents.items()
        )
        train = Stored(images[:, None], labels.long())
        return self._splits_of(train, Stored(test_images[:, None], test_labels.long()))

    def _find(self) -> dict[str, Path]:
        folders = [] if self.root is None else [self._folder()]
        if self.system_folder is not None:
            folders.append(self.system_folder)
        found: dict[str, Path] = {}
        for name in self.contents:
            for path in (folder / (name + suffix) for folder in folders for suffix in ("", ".gz")):
                if os.path.exists(path):  # a pipe or a folder of this name is told as such when it is read
                    found[name] = path
                    break
        missing = [name for name in self.contents if name not in found]
        if missing:
            if self.root is None:
                raise OptionError("root", "null", f"name the folder of {self.title}'s files; data.root=/path")
            files = [
                RemoteFile(f"{name}.gz", self.contents[name], MAX_BYTES, gzipped=True) for name in missing
            ]
            found |= zip(missing, download(files, folder=folders[0], mirrors=self.mirrors or []))
        return found


def read_idx(path: Path, *, sha256: str, title: str) -> Tensor:
    """An IDX file, raw or .gz, as a uint8 tensor of the shape that its header names.

    Raises:
        OptionError: unreadable, or its content's sha256 is not the one given.
    """
    try:
        with open_regular(path) as opened:
            content = opened.read(MAX_BYTES + 1)
        if path.suffix == ".gz":
            content = _unpacked(content)
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


def _unpacked(packed: bytes) -> bytes:
    """The content of a .gz, at most a byte more than is taken; zeros behind its end, which the module gzip
    passes over one by one, are left alone.

    Raises:
        EOFError, zlib.error: it is cut off, or no .gz.
    """
    unpacker = zlib.decompressobj(wbits=31)
    content = unpacker.decompress(packed, MAX_BYTES + 1)
    if not unpacker.eof and len(content) <= MAX_BYTES:
        raise EOFError("it ends too early")
    return content


def parse_idx(content: bytes) -> Tensor:
    """The content of an IDX file of unsigned bytes, whose hash has been checked, as a uint8 tensor."""
    zeros, kind, axes = struct.unpack_from(">HBB", content)
    shape = struct.unpack_from(f">{axes}I", content, 4)
    start = 4 + 4 * axes
    assert (zeros, kind, len(content)) == (0, 8, start + math.prod(shape)), (zeros, kind, shape)
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy())
