"""Pictures of any size as tiles of the one size that a model takes, and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Size = tuple[int, int]  # height and width


def count(size: Size, tile: Size | None) -> int:
    """How many tiles cover a picture; one, where there are none."""
    return 1 if tile is None else -(-size[0] // tile[0]) * -(-size[1] // tile[1])


def count_all(sizes: Sequence[Size], tile: Size | None, pictures: int) -> int:
    """The same of all pictures; their sizes, or one for all."""
    return pictures * count(sizes[0], tile) if len(sizes) == 1 else sum(count(one, tile) for one in sizes)


def sizes_of(size: Size, tile: Size | None) -> list[Size]:
    """How much of each tile, from its upper left, is picture; row by row."""
    if tile is None:
        return [size]
    (height, width), (tall, wide) = size, tile
    return [
        (min(tall, height - top), min(wide, width - left))
        for top in range(0, height, tall)
        for left in range(0, width, wide)
    ]


def cut(picture: Pixels, tile: Size) -> Pixels:
    """A picture [C, H, W] as tiles [n, C, h, w], row by row; beyond it its edge goes on."""
    channels, height, width = picture.shape
    down, right = -height % tile[0], -width % tile[1]
    whole = np.pad(picture, ((0, 0), (0, down), (0, right)), mode="edge")
    parts = whole.reshape(channels, -1, tile[0], whole.shape[2] // tile[1], tile[1])
    return np.ascontiguousarray(parts.transpose(1, 3, 0, 2, 4)).reshape(-1, channels, *tile)


def join(tiles: Pixels, size: Size) -> Pixels:
    """Tiles [n, C, h, w] of one picture to the picture [C, H, W]; undoes :func:`cut`."""
    _, channels, tall, wide = tiles.shape
    rows = -(-size[0] // tall)
    parts = tiles.reshape(rows, -1, channels, tall, wide).transpose(2, 0, 3, 1, 4)
    whole = parts.reshape(channels, rows * tall, -1)
    return np.ascontiguousarray(whole[:, : size[0], : size[1]])
