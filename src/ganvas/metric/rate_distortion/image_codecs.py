"""JPEG, JPEG 2000, WebP and AVIF on sheets of images, whose headers all images share.

A file of its own for each small image would be judged by its header: of Fashion-MNIST's images an AVIF takes
2,990 bits at least.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ganvas.metric.rate_distortion.point import Point, PooledError

MOST_SIDE = 8192  # pixels of a sheet; every format counts further
_GREY = 128


class ImageCodec(NamedTuple):
    """A format of image files by Pillow, with its settings from few bits to many.

    Attributes:
        name: for people.
        feature: what Pillow calls it in ``PIL.features``.
        settings: name -> arguments of ``Image.save``.
    """

    name: str
    feature: str
    settings: dict[str, dict[str, Any]]


def _by_quality(how: dict[str, Any], *qualities: int) -> dict[str, dict[str, Any]]:
    return {f"quality {quality}": how | {"quality": quality} for quality in qualities}


def _by_ratio(how: dict[str, Any], *ratios: int) -> dict[str, dict[str, Any]]:
    return {f"ratio {ratio}": how | {"quality_mode": "rates", "quality_layers": [ratio]} for ratio in ratios}


# Each as small as its encoder makes it in seconds: optimized Huffman tables, WebP's slowest method.
CODECS = (
    ImageCodec(
        "JPEG", "jpg", _by_quality({"format": "JPEG", "optimize": True}, 1, 5, 10, 20, 30, 50, 75, 90)
    ),
    ImageCodec(
        "JPEG 2000", "jpg_2000", _by_ratio({"format": "JPEG2000", "irreversible": True}, 60, 40, 25, 15, 8, 4)
    ),
    ImageCodec("WebP", "webp", _by_quality({"format": "WEBP", "method": 6}, 0, 10, 25, 50, 75, 90)),
    ImageCodec("AVIF", "avif", _by_quality({"format": "AVIF", "speed": 6}, 0, 10, 20, 30, 50, 70, 85)),
)


def is_writable(codec: ImageCodec) -> bool:
    """Whether the installed Pillow writes the format."""
    from PIL import features

    with warnings.catch_warnings():  # a Pillow that does not know a format warns of its name
        warnings.simplefilter("ignore")
        return bool(features.check(codec.feature))


def sheets(images: Tensor, most_side: int = MOST_SIDE) -> Iterator[tuple[Tensor, Tensor]]:
    """Images side by side without gaps, as near to a square as can be; grey where a last row is not full.

    Args:
        images: uint8 [N, C, H, W], N at least 1.
        most_side: pixels of a side of a sheet; images beyond it go to further sheets.

    Yields:
        The images of a sheet uint8 [n, C, H, W], and the sheet uint8 [C, H', W'].
    """
    _, channels, height, width = images.shape
    fit = max(1, most_side // height) * max(1, most_side // width)
    for part in images.split(fit):
        columns = min(max(1, most_side // width), math.ceil(math.sqrt(len(part))))
        rows = -(-len(part) // columns)
        board = torch.full((rows * columns, channels, height, width), _GREY, dtype=torch.uint8)
        board[: len(part)] = part
        placed = board.unflatten(0, (rows, columns)).permute(2, 0, 3, 1, 4)  # [C, rows, H, columns, W]
        yield part, placed.reshape(channels, rows * height, columns * width)


def cut_apart(sheet: Tensor, count: int, height: int, width: int) -> Tensor:
    """The first ``count`` images uint8 [n, C, H, W] of a sheet uint8 [C, H', W']; undoes :func:`sheets`."""
    channels = sheet.shape[0]
    cells: Tensor = sheet.unflatten(1, (-1, height)).unflatten(3, (-1, width))  # [C, rows, H, columns, W]
    found: Tensor = cells.permute(1, 3, 0, 2, 4).reshape(-1, channels, height, width)
    return found[:count]


def measure(images: Tensor, how: dict[str, Any], setting: str = "") -> Point:
    """The point of one setting: 8 bits for each byte of the files, over the number of images.

    Args:
        images: uint8 [N, 1 or 3, H, W].
        how: arguments of ``Image.save``.
        setting: its name.
    """
    size, error = 0, PooledError()
    for part, sheet in sheets(images):
        content = _written(sheet, how)
        size += len(content)
        error.update(part, cut_apart(_read(content, sheet.shape[0]), *(len(part), *part.shape[2:])))
    return Point(setting, 8 * size / len(images), error.psnr())


def _written(sheet: Tensor, how: dict[str, Any]) -> bytes:
    """The bytes of a file of a sheet uint8 [1 or 3, H, W]."""
    from PIL import Image

    pixels = sheet.movedim(0, -1).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if sheet.shape[0] == 1 else pixels).save(file, **how)
    return file.getvalue()


def _read(content: bytes, channels: int) -> Tensor:
    """The sheet uint8 [C, H, W] that a file holds."""
    import numpy
    from PIL import Image

    with Image.open(io.BytesIO(content)) as image:
        pixels = torch.from_numpy(numpy.array(image.convert("L" if channels == 1 else "RGB")))
    return pixels[None] if channels == 1 else pixels.movedim(-1, 0)
