"""One image file to one square uint8 array, whatever its mode and size."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image, ImageOps

from ganvas.errors import OptionError

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
_ALPHA_MODES = {"LA", "La", "PA", "RGBA", "RGBa"}


def decode(path: Path, *, channels: int, image_size: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Reads an image as uint8 [channels, image_size, image_size].

    The camera's orientation is applied, transparency is composited on black, 16-bit levels become 8-bit
    (divided by 257), colour becomes grey by ITU-R 601 luma, an animation is its first frame. Then the shorter
    side is resized, bicubic with antialiasing, and the centre cropped.

    Raises:
        OptionError: ``root``, naming the file, where it is empty, truncated, no image, or so large that it
            may be a decompression bomb (above Pillow's limit of 89 million pixels).
    """
    try:
        return decode_file(path, channels=channels, image_size=image_size)
    except Exception as error:  # decoders raise almost anything on a damaged file
        reason = f"cannot be read as an image ({error}); mend or remove it"
        raise OptionError("root", str(path), reason) from error


def decode_file(
    file: Path | IO[bytes], *, channels: int, image_size: int
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The same of an open file; whatever is wrong with it is an exception of any kind."""
    with Image.open(file) as image:
        pixels = image.width * image.height
        if Image.MAX_IMAGE_PIXELS is not None and pixels > Image.MAX_IMAGE_PIXELS:
            raise ValueError(f"{pixels} pixels, above the limit of {Image.MAX_IMAGE_PIXELS}")
        return to_square(ImageOps.exif_transpose(image), channels=channels, image_size=image_size)


def to_square(image: Image.Image, *, channels: int, image_size: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """An image of any mode, the right way up, as :func:`decode` gives it."""
    plain = _eight_bits(image).convert("L" if channels == 1 else "RGB")
    square = ImageOps.fit(plain, (image_size, image_size), method=Image.Resampling.BICUBIC)
    array = np.asarray(square, dtype=np.uint8)
    return array[None] if channels == 1 else array.transpose(2, 0, 1)  # [H, W, C] to [C, H, W]


def _eight_bits(image: Image.Image) -> Image.Image:
    """Any mode as L or RGB-like, opaque."""
    if image.mode.startswith("I"):  # I;16 and kin; I holds 16-bit PNGs in some versions of Pillow
        levels = np.asarray(image).astype(np.float64)
        if levels.size and not (levels.min() >= 0 and levels.max() <= 65535):
            raise ValueError(f"levels from {levels.min():g} to {levels.max():g}, and 16 bits end at 65535")
        levels /= 257
        return Image.fromarray(levels.round().astype(np.uint8))
    if image.mode == "F":
        raise ValueError("floating-point levels have no known range")
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        opaque = Image.new("RGBA", image.size, (0, 0, 0, 255))
        opaque.alpha_composite(image.convert("RGBA"))
        return opaque.convert("RGB")
    return image.convert("RGB") if image.mode == "P" else image
