"""Images that a page shows, and those that it is given."""

from __future__ import annotations

import io
import warnings

import torch
from torch import Tensor

from ganvas.data.files.decode import Decoding, decode, why
from ganvas.errors import OptionError, require
from ganvas.functional.images import to_float

MAX_UPLOAD = 16_000_000  # bytes of a file
MAX_PIXELS = 25_000_000  # of an image in it
# Error from none to much: black, blue, orange, white; told apart by their lightness alone.
_HEAT = ((0, 0, 0), (40, 60, 170), (240, 130, 30), (255, 255, 235))


def read_upload(name: str, content: bytes, *, channels: int, image_size: int) -> Tensor:
    """An image file that a user hands in, as a model takes it: float32 [C, H, W] in [-1, 1].

    The shorter side is resized, and the longer one cut at both ends.

    Raises:
        OptionError: ``upload``: it is too large, or no image.
    """
    most = f"holds {len(content):,} bytes, of at most {MAX_UPLOAD:,}; take a smaller file"
    require(len(content) <= MAX_UPLOAD, "upload", name, most)
    how = Decoding(channels=channels, image_size=image_size, max_pixels=MAX_PIXELS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large images; the limit is ours
            pixels = decode(io.BytesIO(content), how)
    except Exception as error:  # decoders raise almost anything
        reason = f"cannot be read as an image ({why(error)}); take another file"
        raise OptionError("upload", name, reason) from error
    return to_float(torch.from_numpy(pixels.copy()))


def error_map(original: Tensor, other: Tensor) -> tuple[Tensor, float]:
    """Where an image [C, H, W] in [-1, 1] is off another: uint8 [3, H, W], and its largest error.

    The error of a pixel is the largest of its channels', as a share of the range from black to white, both
    images clamped to it. The colours go from none (black) to the largest one there is (white).
    """
    shown = [one.detach().float().cpu().clamp(-1, 1) for one in (original, other)]
    off = (shown[0] - shown[1]).abs().amax(0) / 2  # [H, W] in [0, 1]
    largest = float(off.max())
    return heat(off / largest if largest else off), largest


def heat(share: Tensor) -> Tensor:
    """Numbers [H, W] in [0, 1] as colours uint8 [3, H, W], the lighter the more."""
    stops = torch.tensor(_HEAT, dtype=torch.float32)
    place = share.clamp(0, 1) * (len(stops) - 1)
    before = place.floor().clamp(max=len(stops) - 2).long()
    part = (place - before).unsqueeze(-1)
    colour = stops[before] * (1 - part) + stops[before + 1] * part  # [H, W, 3]
    return colour.round().to(torch.uint8).permute(2, 0, 1)
