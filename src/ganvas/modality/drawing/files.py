"""Image files by their ending: what each format holds, and how it is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ganvas.errors import require
from ganvas.files.write import WholeFile

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

IMAGES = (".png", ".webp", ".jpg", ".jpeg")  # endings of files of one image

_JPEG: dict[str, Any] = {"format": "JPEG", "quality": 95, "subsampling": 0}  # 0: a colour each pixel (4:4:4)
_FORMATS: dict[str, dict[str, Any]] = {
    ".gif": {"format": "GIF"},
    ".png": {"format": "PNG"},
    ".webp": {"format": "WEBP", "lossless": True},
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
}
_MOST_SIDE = {".webp": 16_383, ".jpg": 65_500, ".jpeg": 65_500}  # pixels that the formats count to
# Pixels encoded at once: WebP takes 36 bytes of memory for each (measured), JPEG 3.
_MOST_AT_ONCE = {".png": 2**28, ".webp": 20_000_000, ".jpg": 2**26, ".jpeg": 2**26}


def save_image(path: str | Path, image: Tensor) -> None:
    """Writes an image, uint8 [1 or 3, H, W]; the file is either whole or not there.

    PNG and WebP keep every level (a WebP stores grey as three equal channels). JPEG has quality 95 and keeps
    the colour of each pixel apart.

    Args:
        path: its ending, one of :data:`IMAGES`, is the format.
    """
    write(path, to_image(image))


def write(path: str | Path, image: Image, **how: Any) -> None:
    """Writes Pillow's image in the format of the ending; the file is either whole or not there.

    Args:
        how: of ``Image.save``, beside the format's own.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with WholeFile(path) as file:
        save_into(file, path.suffix, image, **how)


def save_into(file: BinaryIO, ending: str, image: Image, **how: Any) -> None:
    """Writes Pillow's image to a file that is open for it, in the format of an ending."""
    image.save(file, **_FORMATS[ending], **how)


def to_image(image: Tensor) -> Image:
    """An image, uint8 [1 or 3, H, W], as Pillow's (mode L or RGB)."""
    from PIL import Image

    pixels = image.permute(1, 2, 0).contiguous().numpy()  # [H, W, C]
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def check_format(ending: str, option: str, value: object) -> None:
    """Raises OptionError (``option``) where the installed Pillow does not write the format."""
    if ending == ".webp":
        from PIL import features

        found = bool(features.check("webp"))
        require(found, option, value, "the Pillow that is installed writes no WebP; name a .png")


def check_size(
    ending: str, width: int, height: int, *, option: str, value: object, in_rows: bool = False
) -> None:
    """Raises OptionError (``option``) where the format cannot hold an image, or the memory should not.

    Args:
        width: of the image, pixels; ``height`` likewise.
        in_rows: the file is written a part at a time, and ``height`` is the part's.
    """
    size = f"{'a row of ' if in_rows else ''}the image has {width:,} x {height:,} pixels"
    remedy = f"take fewer or smaller images{'' if ending == '.png' else ', or a .png'}"
    side = _MOST_SIDE.get(ending, 2**31 - 1)
    rule = f"{size}, and a side in {ending} at most {side:,}; {remedy}"
    require(max(width, height) <= side, option, value, rule)
    most = _MOST_AT_ONCE.get(ending, 2**28)
    rule = f"{size}, and {ending} takes at most {most:,} at once; {remedy}"
    require(width * height <= most, option, value, rule)
