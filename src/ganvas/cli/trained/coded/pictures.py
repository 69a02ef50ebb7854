"""Where pictures come from: files, folders, a split of the run's data; and what a model makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganvas.cli.trained.coded.model import CodedModel
from ganvas.codec import tiles
from ganvas.data.files.decode import Decoding, decode, why
from ganvas.data.files.formats import IMAGES
from ganvas.data.files.tree import describe, read_tree
from ganvas.errors import OptionError, require
from ganvas.files.text import say
from ganvas.functional.images import to_uint8
from ganvas.functional.memory import require_memory

Pixels = npt.NDArray[np.uint8]


def find_pictures(words: Sequence[str]) -> list[Path]:
    """The files that are named, and those in folders that are, at any depth, sorted.

    Raises:
        OptionError: ``FILES``: one is not there, or a folder without images.
    """
    found: list[Path] = []
    for word in words:
        path = Path(word)
        if not path.is_dir():
            require(path.is_file(), "FILES", word, "is no file and no folder; name pictures")
            found.append(path)
            continue
        try:
            tree = read_tree(path, "flat", IMAGES)
        except OptionError as error:
            raise OptionError("FILES", error.value, error.reason) from error
        found += tree.splits["train"].paths
        if tree.passed_over:
            say(f"{word}: {len(tree.splits['train'].paths)} pictures; passed over: "
                f"{describe(tree.passed_over, IMAGES)}", error=True)  # fmt: skip
    return found


def read_pictures(paths: Sequence[Path], channels: int) -> Iterator[Pixels]:
    """Each as uint8 [C, H, W], as the project decodes images.

    Raises:
        OptionError: ``FILES``: one that cannot be read as an image.
    """
    how = Decoding(channels=channels, image_size=None)
    for path in paths:
        try:
            yield decode(path, how)
        except Exception as error:
            reason = f"cannot be read as an image ({why(error)}); mend it, or leave it out"
            raise OptionError("FILES", path, reason) from error


def pictures_of(data: Any, split: str, num: int) -> Iterator[Pixels]:
    """The first of a split, each as uint8 [C, H, W]."""
    for batch in data.batches(split, 256, num):
        yield from to_uint8(batch.x).numpy()


@dataclass
class Coded:
    """What a model makes of pictures.

    Attributes:
        codes: int64 [n, N], of all tiles.
        sizes: height and width of each picture.
        originals: uint8 [n, C, h, w]; None where they are not kept.
        squared_error: sum over all values of what the codes decode to, in levels of 256, from the original.
    """

    codes: Tensor
    sizes: list[tiles.Size]
    originals: Tensor | None
    squared_error: float


def code_pictures(
    model: CodedModel, pictures: Iterable[Pixels], *, levels: int, keep: bool, batch_size: int
) -> Coded:
    """Cuts pictures into tiles, encodes these, and decodes them again.

    Args:
        levels: of the codes, the first ones.
        keep: the originals too.
    """
    sizes: list[tiles.Size] = []
    batch, kept, codes, error = _Batch(), list[Pixels](), list[Tensor](), 0.0

    def code(count: int) -> float:
        own, inside = batch.take(count)
        codes.append(model.encode(own, levels))
        if keep:
            needed = 3 * own.nbytes * (len(kept) + 1)
            require_memory("--lossless", f"{len(sizes):,} pictures", needed, "their pixels")
            kept.append(own)
        off = model.decode_pixels(codes[-1]).astype(np.int64) - own
        return float((off**2 * inside[:, None]).sum())

    for picture in pictures:
        sizes.append((picture.shape[1], picture.shape[2]))
        batch.add(tiles.cut(picture, model.tile), tiles.sizes_of(sizes[-1], model.tile))
        while batch.count >= batch_size:
            error += code(batch_size)
    if batch.count:
        error += code(batch.count)
    originals = torch.from_numpy(np.concatenate(kept)) if keep else None
    return Coded(torch.cat(codes), sizes, originals, error)


@dataclass
class _Batch:
    """Tiles that wait until there are enough of them."""

    parts: list[Pixels] = field(default_factory=list)
    sizes: list[tiles.Size] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.sizes)

    def add(self, parts: Pixels, sizes: list[tiles.Size]) -> None:
        self.parts.append(parts)
        self.sizes += sizes

    def take(self, count: int) -> tuple[Pixels, npt.NDArray[np.bool_]]:
        """The first tiles [count, C, h, w], and where they are picture [count, h, w]."""
        whole = self.parts[0] if len(self.parts) == 1 else np.concatenate(self.parts)
        self.parts = [whole[count:]]
        sizes = np.array(self.sizes[:count])
        self.sizes = self.sizes[count:]
        rows, columns = (np.arange(side) for side in whole.shape[2:])
        inside = (rows[:, None] < sizes[:, :1, None]) & (columns < sizes[:, 1:, None])
        return whole[:count], inside
