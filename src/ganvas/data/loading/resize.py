"""How images of a data set's native size become images of the experiment's size."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ganvas.errors import require

_MODES = ("auto", "pad", "resize")
_CHUNK = 4096  # images held as float32 at a time


def require_mode(mode: str) -> None:
    require(mode in _MODES, "resize_mode", mode, f"must be one of {', '.join(_MODES)}")


def fit_images(x: Tensor, *, image_size: int, mode: str) -> Tensor:
    """Images uint8 [N, C, h, w] to uint8 [N, C, image_size, image_size].

    Args:
        image_size: side wanted, in pixels.
        mode: ``pad`` puts black (0) around, ``resize`` is bilinear with antialiasing, ``auto`` pads where the
            side grows by at most a quarter (28 to 32) and resizes otherwise.

    Raises:
        OptionError: ``pad`` to a size below the native one.
    """
    height, width = x.shape[-2:]
    if height == width == image_size:
        return x
    large, small = max(height, width), min(height, width)
    if mode == "auto":
        mode = "pad" if large < image_size and image_size * 4 <= small * 5 else "resize"
    if mode == "resize":
        return _resize(x, image_size)
    require(
        image_size >= large,
        "resize_mode",
        mode,
        f"images of {height}x{width} cannot be padded to image_size={image_size}; take resize_mode=resize",
    )
    left, top = (image_size - width) // 2, (image_size - height) // 2
    return F.pad(x, (left, image_size - width - left, top, image_size - height - top), value=0)


def _resize(x: Tensor, image_size: int) -> Tensor:
    out = torch.empty((*x.shape[:2], image_size, image_size), dtype=torch.uint8)
    for start in range(0, len(x), _CHUNK):
        chunk = x[start : start + _CHUNK].float()
        chunk = F.interpolate(chunk, size=(image_size, image_size), mode="bilinear", antialias=True)
        out[start : start + _CHUNK] = chunk.round_().clamp_(0, 255).to(torch.uint8)
    return out
