"""Images: float32 [B, C, H, W] in [-1, 1]; stored uint8 or so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import BinaryIO

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from ganvas.errors import require
from ganvas.functional.images import to_float, to_uint8
from ganvas.functional.ssim import K1, K2, SCALES, SMALLEST_MULTISCALE, ms_ssim, ssim, window_for
from ganvas.modality.drawing.files import IMAGES, save_into, to_image
from ganvas.modality.interface import Measure, Modality, values_protocol


class Image(Modality):
    """Images of any number of channels. Those of other than 1 or 3 are drawn as their mean, grey.

    Compared as they are shown: [-1, 1] is mapped to [0, 1] and clamped. SSIM (Wang 2004) and MS-SSIM (Wang
    2003, for sides of at least 176 pixels) are means over images; SSIM's window is the authors' (Gaussian, 11
    pixels, sigma 1.5) and lies wholly inside the image; an image too small for it gets a smaller one of the
    same shape.
    """

    name, plural = "image", "images"
    endings = IMAGES
    sides = 2
    compared_as = "[0, 1], clamped, not rounded to 8 bits"
    normalization = "samples are in [-1, 1]; images are channels first, x / 127.5 - 1 of bytes x"
    has_pixels = True
    has_psnr = True
    reports = {
        **{"psnr": "max", "ssim": "max", "ms_ssim": "max"},
        **{"bits_per_image": None, "bits_per_pixel": None},
    }

    def wrong_with(self, stored: Tensor) -> str | None:
        if stored.dtype not in (torch.uint8, torch.float32):
            return "must be uint8 images [N, C, H, W] or float32 samples [N, ...]"
        if stored.ndim != 4:
            kind = str(stored.dtype).removeprefix("torch.")
            return (
                f"is {kind} {list(stored.shape)} and must be [N, C, H, W]; give samples that are no images "
                "as float32 in [-1, 1]"
            )
        return None

    to_model = staticmethod(to_float)

    def to_stored(self, x: Tensor) -> Tensor:
        return to_uint8(x)

    def pictures(self, x: Tensor) -> Tensor:
        x = x.detach().float().cpu()
        # no colours to show: a grey mean
        return to_uint8(x if x.shape[1] in (1, 3) else x.mean(1, keepdim=True))

    def stored_arrays(self, stored: Tensor) -> Tensor:
        """[..., C, H, W] as [..., H, W, C]."""
        return stored.movedim(-3, -1)

    def write(self, file: BinaryIO, ending: str, stored: Tensor) -> None:
        """An image uint8 [1 or 3, H, W]."""
        save_into(file, ending, to_image(stored))

    def compared(self, x: Tensor) -> Tensor:
        return (x * 0.5 + 0.5).clamp(0, 1)

    def summary(self, x: Tensor, side: int) -> Tensor:
        """Averaged down to at most ``side`` x ``side`` pixels; smaller images are not enlarged."""
        height, width = (min(one, side) for one in x.shape[2:])
        return adaptive_avg_pool2d(x.float(), (height, width)).flatten(1)  # [B, C h w]

    def summary_protocol(self, shape: Sequence[int], side: int) -> dict[str, object]:
        return values_protocol(side)

    def units(self, shape: Sequence[int]) -> Mapping[str, float]:
        return {"bits_per_pixel": shape[1] * shape[2]}

    def measures(self, shape: Sequence[int]) -> Sequence[Measure]:
        smallest = min(shape[1:])
        require(smallest >= 3, "sample_shape", list(shape), "SSIM needs sides of at least 3 pixels")
        side, sigma = window_for(smallest, smallest)
        window: dict[str, object] = {
            "value_range": self.compared_as,
            "dtype": "float64",
            "window": f"Gaussian, {side} x {side}",
            "sigma": round(sigma, 4),
            "border": "none: windows inside the image alone",
            "constants": [K1, K2],
            "variance": "weighted, no correction",
            "channels": "mean",
            "mean": "over images",
        }
        found = [Measure("ssim", "max", window, ssim)]
        if smallest >= SMALLEST_MULTISCALE:
            scales: dict[str, object] = {
                "scales": list(SCALES),
                "downsampling": "mean of 2 x 2, a last odd row or column dropped",
                "negative_scale": "counts as 0",
            }
            found.append(Measure("ms_ssim", "max", window | scales, ms_ssim))
        return found
