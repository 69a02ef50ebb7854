"""How close reconstructions come to their originals, over a whole split."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

from ganvas.errors import require
from ganvas.functional.contracts import unlike
from ganvas.functional.precision import widened
from ganvas.functional.ssim import K1, K2, SCALES, SMALLEST_MULTISCALE, ms_ssim, ssim, window_for

_SHOWN = "[0, 1], clamped, not rounded to 8 bits"  # what images are compared as


class ReconstructionQuality(Metric):
    """MSE, NMSE, PSNR, SSIM and MS-SSIM of images, from running sums; of points the MSE and NMSE alone.

    Images are compared as they are shown: [-1, 1] is mapped to [0, 1] and clamped. NMSE is the MSE over the
    variance of all values of the originals (van den Oord's own code takes the training images' variance);
    PSNR is that of the whole split's MSE (not a mean of PSNRs); SSIM (Wang 2004) and MS-SSIM (Wang 2003, for
    sides of at least 176 pixels) are means over images. SSIM's window is the authors' (Gaussian, 11 pixels,
    sigma 1.5) and lies wholly inside the image; an image too small for it gets a smaller one of the same
    shape. All in float64.

    Args:
        sample_shape: shape of one sample: [C, H, W] for images, [2] for points.

    Raises:
        OptionError: images with a side below 3 pixels.
    """

    is_differentiable = False
    full_state_update = False

    squared_error: Tensor
    total: Tensor
    total_square: Tensor
    num_values: Tensor
    similarity: Tensor
    multiscale: Tensor
    num_samples: Tensor

    def __init__(self, sample_shape: list[int]) -> None:
        super().__init__()
        self.images = len(sample_shape) == 3
        smallest = min(sample_shape[1:]) if self.images else 3
        require(smallest >= 3, "sample_shape", sample_shape, "SSIM needs sides of at least 3 pixels")
        self.ssim_window, self.ssim_sigma = window_for(smallest, smallest)
        self.has_multiscale = self.images and smallest >= SMALLEST_MULTISCALE
        for name in ("squared_error", "total", "total_square", "similarity", "multiscale"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        for name in ("num_values", "num_samples"):
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    @property
    def protocol(self) -> dict[str, object]:
        """What each of the metrics rests on, as plain values: one part for the metrics that it lists."""
        shown = {"value_range": _SHOWN if self.images else "as given", "dtype": "float64"}
        error: dict[str, object] = {**shown, "mean": "over all values of the split"}
        error["variance"] = "of all values of the originals, no correction; nmse is mse over it"
        if not self.images:
            return {"squared_error": error | {"metrics": ["mse", "nmse"]}}
        error |= {"psnr": "of the split's mse, data range 1", "metrics": ["mse", "nmse", "psnr"]}
        window: dict[str, object] = {
            **shown,
            "window": f"Gaussian, {self.ssim_window} x {self.ssim_window}",
            "sigma": round(self.ssim_sigma, 4),
            "border": "none: windows inside the image alone",
            "constants": [K1, K2],
            "variance": "weighted, no correction",
            "channels": "mean",
            "mean": "over images",
        }
        parts = {"squared_error": error, "ssim": window | {"metrics": ["ssim"]}}
        if self.has_multiscale:
            scales: dict[str, object] = {
                "scales": list(SCALES),
                "downsampling": "mean of 2 x 2, a last odd row or column dropped",
                "negative_scale": "counts as 0",
            }
            parts["ms_ssim"] = window | scales | {"metrics": ["ms_ssim"]}
        return dict(parts)

    def update(self, *, original: Tensor, reconstruction: Tensor) -> None:
        """Adds samples [B, ...] in [-1, 1] and their reconstructions."""
        if original.shape != reconstruction.shape:
            raise unlike(original=original, reconstruction=reconstruction)
        original, reconstruction = widened(original), widened(reconstruction)
        if self.images:
            original, reconstruction = (
                (value * 0.5 + 0.5).clamp(0, 1) for value in (original, reconstruction)
            )
            self.similarity = self.similarity + ssim(original, reconstruction).sum()
            if self.has_multiscale:
                self.multiscale = self.multiscale + ms_ssim(original, reconstruction).sum()
        self.squared_error = self.squared_error + (original - reconstruction).square().sum()
        self.total = self.total + original.sum()
        self.total_square = self.total_square + original.square().sum()
        self.num_values = self.num_values + original.numel()
        self.num_samples = self.num_samples + len(original)

    def compute(self) -> dict[str, Tensor]:
        """Scalars float64: ``mse``, ``nmse``; of images ``psnr`` (dB; range 1), ``ssim``, maybe ``ms_ssim``.

        ``nmse`` is NaN or infinite where all values of all originals are one.
        """
        mse = self.squared_error / self.num_values
        variance = self.total_square / self.num_values - (self.total / self.num_values).square()
        metrics = {"mse": mse, "nmse": mse / variance}
        if not self.images:
            return metrics
        metrics |= {"psnr": -10 * mse.log10(), "ssim": self.similarity / self.num_samples}
        if self.has_multiscale:
            metrics["ms_ssim"] = self.multiscale / self.num_samples
        return metrics
