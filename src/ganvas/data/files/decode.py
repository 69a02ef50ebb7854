"""One image file to one uint8 array, whatever its mode and size: a square, or as large as it is."""

from __future__ import annotations

import contextlib
import io
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ganvas.data.files.formats import formats
from ganvas.data.files.png import SIGNATURE, bare_png
from ganvas.data.files.transparency import Colour, eight_bits, parse_colour, raw_mode
from ganvas.errors import require
from ganvas.files.read import NotRegularError, open_regular

ImageArray = np.ndarray[Any, np.dtype[np.uint8]]
CROPS = ("center", "pad", "stretch")
MAX_PIXELS = 89_478_485  # Pillow's own limit: a quarter of a gibibyte as RGB
_BESIDE_PIXELS = 1 << 26  # bytes of headers, profiles and comments, at most
_ORIENTATION = 0x0112  # Exif's tag of how the camera was held
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How an image becomes a uint8 array.

    The camera's orientation is applied, transparency is put on ``background``, 16-bit levels become 8-bit
    (divided by 257), colour becomes grey by ITU-R 601 luma, an animation is its first frame. Resizing is
    bicubic with antialiasing. What a file says about its pixels (comments, profiles, a damaged Exif) never
    keeps it from being read.

    Args:
        channels: 1 (grey) or 3 (colour).
        image_size: side of the square that it becomes, in pixels; None: it stays as large as it is.
        background: where an image is transparent, and around one that is padded: a name of CSS, ``#rrggbb``
            or [red, green, blue].
        crop: ``center`` resizes the shorter side and cuts the longer one at both ends, ``pad`` resizes the
            longer side and puts ``background`` around, ``stretch`` resizes each side for itself.
        max_pixels: an image of more is refused: it may be a decompression bomb.

    Raises:
        OptionError: an argument out of its range.
    """

    channels: int
    image_size: int | None
    background: str | int | list[int] = "black"  # no number is a colour; it is refused with the reason
    crop: str = "center"
    max_pixels: int = MAX_PIXELS
    colour: Colour = field(init=False, repr=False)

    def __post_init__(self) -> None:
        require(self.channels in (1, 3), "channels", self.channels, "must be 1 (grey) or 3 (colour)")
        require(self.crop in CROPS, "crop", self.crop, f"must be one of {', '.join(CROPS)}")
        reason = f"must be at least 1 pixel; {MAX_PIXELS} is usual"
        require(self.max_pixels >= 1, "max_pixels", self.max_pixels, reason)
        object.__setattr__(self, "colour", parse_colour(self.background, "background"))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of what becomes a square."""
        assert self.image_size is not None, "each image has a size of its own"
        return self.channels, self.image_size, self.image_size

    @property
    def max_bytes(self) -> int:
        """Of a file with an image of ``max_pixels``, whatever its format: 16 bits of four channels, twice."""
        return 16 * self.max_pixels + _BESIDE_PIXELS

    def key(self) -> dict[str, object]:
        """What a cache of decoded images, or the identity of data, rests on: plain values."""
        names = ("channels", "image_size", "colour", "crop", "max_pixels")
        return {name: getattr(self, name) for name in names}


def decode(file: Path | IO[bytes], how: Decoding) -> ImageArray:
    """Reads an image as uint8 [channels, image_size, image_size], or [channels, its height, its width].

    Raises:
        Exception: of almost any kind, as decoders raise them: the file is empty, truncated, no image, or too
            large. :func:`why` puts it into words.
    """
    if isinstance(file, Path):
        with open_regular(file) as opened:
            if os.fstat(opened.fileno()).st_size > how.max_bytes:
                raise ValueError(f"it has more bytes than {how.max_pixels} pixels can have; see max_pixels")
            return decode(opened, how)
    try:
        return _decode(file, how)
    except Exception:
        content = _whole(file)
        if not content:
            raise ValueError("the file is empty") from None
        if not content.startswith(SIGNATURE):
            raise
        return _decode(io.BytesIO(bare_png(content)), how)


def require_pixels(width: int, height: int, most: int) -> None:
    """Raises ValueError for a picture of no pixels, or of more than ``most``."""
    if width < 1 or height < 1:
        raise ValueError(f"it is {width} x {height} pixels large")
    if width * height > most:
        raise ValueError(f"{width * height} pixels, above the limit of {most}; see max_pixels")


def why(error: Exception) -> str:
    """What is wrong with an image that :func:`decode` could not read."""
    if isinstance(error, UnidentifiedImageError):
        return "no image of a kind that can be read"
    if isinstance(error, Image.DecompressionBombError):  # above twice what Pillow allows, it does not open
        return f"{str(error).rstrip('.')}; see max_pixels"
    if isinstance(error, NotRegularError):
        return "a pipe, a device or a folder, and no file"
    return str(error) or type(error).__name__


def to_square(image: Image.Image, how: Decoding, raw: str = "") -> ImageArray:
    """An image of any mode, the right way up, as :func:`decode` gives it.

    Args:
        raw: see :func:`ganvas.data.files.transparency.eight_bits`.
    """
    mode = "L" if how.channels == 1 else "RGB"
    plain = eight_bits(image, how.colour, raw).convert(mode)
    array = np.asarray(plain if how.image_size is None else _square(plain, how, how.image_size), np.uint8)
    return array[None] if how.channels == 1 else array.transpose(2, 0, 1)  # [H, W, C] to [C, H, W]


def _square(image: Image.Image, how: Decoding, side: int) -> Image.Image:
    method = Image.Resampling.BICUBIC
    if how.crop == "center":
        return ImageOps.fit(image, (side, side), method=method)
    if how.crop == "stretch":
        return image.resize((side, side), method)
    longest = max(image.size)
    width, height = (max(1, round(side * length / longest)) for length in image.size)
    square = Image.new("RGB", (side, side), how.colour).convert(image.mode)
    square.paste(image.resize((width, height), method), ((side - width) // 2, (side - height) // 2))
    return square


def _decode(file: Path | IO[bytes], how: Decoding) -> ImageArray:
    with _limit.at_least(how.max_pixels), Image.open(file, formats=formats()) as image:
        require_pixels(image.width, image.height, how.max_pixels)
        raw = raw_mode(image)
        image.load()
        return to_square(_upright(image), how, raw)


def _upright(image: Image.Image) -> Image.Image:
    """The image turned as the camera was held; a damaged Exif turns nothing."""
    try:
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # its readers raise almost anything
        turn = None
    return image if turn is None else image.transpose(turn)


def _whole(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


class _PixelLimit:
    """Pillow's own limit is one of the process; it is lifted while somebody decodes with a larger one."""

    def __init__(self) -> None:
        self._lock, self._users = threading.Lock(), 0
        self._limit: int | None = None

    @contextlib.contextmanager
    def at_least(self, pixels: int) -> Iterator[None]:
        if pixels <= MAX_PIXELS:
            yield
            return
        with self._lock:
            if self._users == 0:
                self._limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    Image.MAX_IMAGE_PIXELS = self._limit


_limit = _PixelLimit()
