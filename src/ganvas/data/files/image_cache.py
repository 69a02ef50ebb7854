"""Images decoded once, squares in an array (:mod:`ganvas.data.files.array_cache`)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ganvas.data.files.array_cache import CachedArray, Content, Decoded, Size, cached_array
from ganvas.data.files.decode import Decoding, decode, why
from ganvas.data.files.formats import IMAGES, formats

_VERSION = 3  # raised when decoding, or what a cache says, changes


def cached_images(
    paths: Sequence[Path], *, root: Path, how: Decoding, on_damaged: str, cache_dir: str | None
) -> CachedArray:
    """Images uint8 [M, channels, image_size, image_size] mapped from a cache, made if need be.

    Args:
        how: what the images become.

    The others, and what it raises: see :func:`ganvas.data.files.array_cache.cached_array`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on a file; what it cannot read, decode refuses
        content = _Images(how)
        return cached_array(paths, content, root=root, on_damaged=on_damaged, cache_dir=cache_dir)


class _Images(Content):
    """Squares, one row of the array each."""

    kind, dtype, ahead = IMAGES, np.dtype("|u1"), 1024

    def __init__(self, how: Decoding) -> None:
        self.how = how

    def key(self, *, skip: bool) -> Mapping[str, object]:
        # What is left out may be readable by another Pillow, or with a plugin.
        return {"version": _VERSION, **self.how.key()} | ({"formats": formats()} if skip else {})

    def facts(self, paths: Sequence[Path], root: Path) -> dict[str, object]:
        return {}

    def row_shape(self, facts: Mapping[str, object]) -> tuple[int, ...]:
        return self.how.shape

    def size(self, paths: Sequence[Path], facts: Mapping[str, object]) -> Size:
        needed = len(paths) * math.prod(self.how.shape)
        return Size(needed, "image_size", self.how.image_size, "choose a smaller size")

    def read(self, path: Path, facts: Mapping[str, object]) -> Decoded:
        return Decoded(decode(path, self.how)[None])

    def why(self, error: Exception) -> str:
        return why(error)
