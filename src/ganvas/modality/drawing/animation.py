"""Frames as an animated image file that begins anew at its end: GIF, animated PNG or WebP."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from ganvas.errors import require
from ganvas.modality.drawing.files import to_image, write

if TYPE_CHECKING:
    from PIL.Image import Image

ANIMATIONS = (".gif", ".png", ".webp")  # endings
MOST_FPS = 50  # browsers slow a GIF down whose frames stand for less than two hundredths of a second
_PALETTE_FRAMES = 16  # frames that the palette of a GIF is chosen from


def save_animation(path: str | Path, frames: Sequence[Tensor], *, fps: int) -> None:
    """Writes frames uint8 [1 or 3, H, W] of one size, shown again and again; the file is whole or not there.

    PNG and WebP hold them as they are. A GIF counts hundredths of a second, and has 256 colours: greys are
    kept as they are, other images get one palette for all frames, without dithering (which would flicker).
    Frames that equal the one before are not stored again; that one is shown longer.

    Args:
        path: ends in one of :data:`ANIMATIONS`.
        fps: frames a second, from 1 to 50.

    Raises:
        OptionError: another number of frames a second.
    """
    check_fps(fps)
    images = [to_image(frame) for frame in frames]
    gif = Path(path).suffix == ".gif"
    if gif and images[0].mode == "RGB":
        images = _with_one_palette(images)
    duration = 10 * round(100 / fps) if gif else round(1000 / fps)  # milliseconds
    write(path, images[0], save_all=True, append_images=images[1:], duration=duration, loop=0)


def check_fps(fps: int, option: str = "fps") -> None:
    """Raises OptionError unless viewers can show so many frames a second."""
    require(1 <= fps <= MOST_FPS, option, fps, f"must be from 1 to {MOST_FPS} frames a second; 20 is usual")


def _with_one_palette(images: list[Image]) -> list[Image]:
    from PIL import Image

    chosen = images[:: -(-len(images) // _PALETTE_FRAMES)]
    width, height = images[0].size
    board = Image.new("RGB", (width, height * len(chosen)))
    for i, image in enumerate(chosen):
        board.paste(image, (0, i * height))
    palette = board.quantize(256, method=Image.Quantize.MEDIANCUT, kmeans=1)
    return [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
