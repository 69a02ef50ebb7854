"""How close reconstructions come to their originals, over a whole split."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    structural_similarity_index_measure,
)

from ganvas.errors import require
from ganvas.metric.interface import require_one_shape

_SMALLEST_MS_SSIM = 176  # side, pixels: the standard window at 1/16 of it (five scales; torchmetrics' bound)


class ReconstructionQuality(Metric):
    """MSE, PSNR, SSIM and MS-SSIM of images, from running sums; of points the MSE alone.

    Images are compared as they are shown: [-1, 1] is mapped to [0, 1] and clamped. PSNR is that of the
    whole split's MSE (not a mean of PSNRs); SSIM (Wang 2004) and MS-SSIM (Wang 2003, for sides of at least
    176 pixels) are means over images.

    Args:
        sample_shape: shape of one sample: [C, H, W] for images, [2] for points.

    Raises:
        OptionError: images with a side below 3 pixels.
    """

    is_differentiable = False
    full_state_update = False

    squared_error: Tensor
    num_values: Tensor
    similarity: Tensor
    multiscale: Tensor
    num_samples: Tensor

    def __init__(self, sample_shape: list[int]) -> None:
        super().__init__()
        self.images = len(sample_shape) == 3
        smallest = min(sample_shape[1:]) if self.images else 3
        require(smallest >= 3, "sample_shape", sample_shape, "SSIM needs sides of at least 3 pixels")
        # The standard window is 11 wide with sigma 1.5 (Wang 2004); a smaller image gets the widest odd
        # window that fits, with a sigma cut off at the same 3.5 deviations (torchmetrics' rule).
        self.ssim_window = min(11, (smallest - 1) // 2 * 2 + 1)
        self.ssim_sigma = 1.5 if self.ssim_window == 11 else (self.ssim_window - 1) / 2 / 3.5
        self.has_multiscale = self.images and smallest >= _SMALLEST_MS_SSIM
        self.add_state("squared_error", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("num_values", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("similarity", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("multiscale", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("num_samples", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    @property
    def protocol(self) -> dict[str, object]:
        """What the metrics rest on, in plain values."""
        if not self.images:
            return {"value_range": "as given"}
        facts: dict[str, object] = {
            "value_range": "[0, 1], clamped",
            "ssim_window": self.ssim_window,
            "ssim_sigma": round(self.ssim_sigma, 4),
        }
        if self.has_multiscale:
            facts["ms_ssim_scales"] = 5
        return facts

    def update(self, *, original: Tensor, reconstruction: Tensor) -> None:
        """Adds samples [B, ...] in [-1, 1] and their reconstructions."""
        require_one_shape(original, reconstruction)
        original, reconstruction = original.float(), reconstruction.float()
        if self.images:
            original, reconstruction = (
                (value * 0.5 + 0.5).clamp(0, 1) for value in (original, reconstruction)
            )
            similarity = structural_similarity_index_measure(
                reconstruction,
                original,
                sigma=self.ssim_sigma,
                kernel_size=self.ssim_window,
                data_range=1.0,
                reduction="none",
            )  # [B]
            assert isinstance(similarity, Tensor)
            self.similarity = self.similarity + similarity.double().sum()
            if self.has_multiscale:
                multiscale = multiscale_structural_similarity_index_measure(
                    reconstruction, original, data_range=1.0, reduction="none", normalize="relu"
                )  # [B]; a power of a negative similarity is none: such a scale counts as 0
                self.multiscale = self.multiscale + multiscale.double().sum()
        self.squared_error = self.squared_error + (original - reconstruction).double().square().sum()
        self.num_values = self.num_values + original.numel()
        self.num_samples = self.num_samples + len(original)

    def compute(self) -> dict[str, Tensor]:
        """Scalars float64: ``mse``; of images ``psnr`` (dB; data range 1), ``ssim``, maybe ``ms_ssim``."""
        mse = self.squared_error / self.num_values
        if not self.images:
            return {"mse": mse}
        metrics = {"mse": mse, "psnr": -10 * mse.log10(), "ssim": self.similarity / self.num_samples}
        if self.has_multiscale:
            metrics["ms_ssim"] = self.multiscale / self.num_samples
        return metrics
