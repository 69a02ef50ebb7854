"""How close reconstructions come to their originals, over a whole split."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric

from ganvas.functional.contracts import unlike
from ganvas.functional.precision import widened
from ganvas.modality.interface import Modality


class ReconstructionQuality(Metric):
    """MSE and NMSE, of images PSNR, and what the modality measures besides, from running sums.

    Values are compared as the modality says (images as they are shown: [-1, 1] is mapped to [0, 1] and
    clamped). NMSE is the MSE over the variance of all values of the originals (van den Oord's own code takes
    the training images' variance); PSNR is that of the whole split's MSE (not a mean of PSNRs). Of symbols,
    which have no differences, the modality's own measures alone. All in float64.

    Args:
        modality: what the samples are.
        sample_shape: shape of one sample, e.g. [C, H, W] for images; samples may have other sizes where the
            modality's measures allow it.

    Attributes:
        better: by the name of a measure of the modality, ``min`` or ``max``.

    Raises:
        OptionError: samples that the modality cannot measure, e.g. images with a side below 3 pixels.
    """

    is_differentiable = False
    full_state_update = False

    squared_error: Tensor
    total: Tensor
    total_square: Tensor
    num_values: Tensor
    measured: Tensor
    num_samples: Tensor

    def __init__(self, modality: Modality, sample_shape: Sequence[int]) -> None:
        super().__init__()
        self.modality, self.measures = modality, list(modality.measures(sample_shape))
        self.better = {one.name: one.better for one in self.measures}
        self.better |= {"psnr": "max"} if modality.has_psnr else {}
        for name in ("squared_error", "total", "total_square"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        for name in ("num_values", "num_samples"):
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        sums = torch.zeros(len(self.measures), dtype=torch.float64)
        self.add_state("measured", sums, dist_reduce_fx="sum")

    @property
    def protocol(self) -> dict[str, object]:
        """What each of the metrics rests on, as plain values: one part for the metrics that it lists."""
        parts: dict[str, object] = {}
        if not self.modality.is_discrete:
            error: dict[str, object] = {
                "value_range": self.modality.compared_as,
                "dtype": "float64",
                "mean": "over all values of the split",
                "variance": "of all values of the originals, no correction; nmse is mse over it",
            }
            if self.modality.has_psnr:
                error["psnr"] = "of the split's mse, data range 1"
            names = ["mse", "nmse", *(["psnr"] if self.modality.has_psnr else [])]
            parts["squared_error"] = error | {"metrics": names}
        return parts | {one.name: dict(one.protocol) | {"metrics": [one.name]} for one in self.measures}

    def update(self, *, original: Tensor, reconstruction: Tensor) -> None:
        """Adds samples [B, ...], as networks take them, and their reconstructions."""
        if original.shape != reconstruction.shape:
            raise unlike(original=original, reconstruction=reconstruction)
        if not self.modality.is_discrete:
            original, reconstruction = (
                self.modality.compared(widened(value)) for value in (original, reconstruction)
            )
            self.squared_error = self.squared_error + (original - reconstruction).square().sum()
            self.total = self.total + original.sum()
            self.total_square = self.total_square + original.square().sum()
        if self.measures:
            sums = [one.of(original, reconstruction).double().sum() for one in self.measures]
            self.measured = self.measured + torch.stack(sums)
        self.num_values = self.num_values + original.numel()
        self.num_samples = self.num_samples + len(original)

    def compute(self) -> dict[str, Tensor]:
        """Scalars float64: ``mse``, ``nmse``; of images ``psnr`` (dB; range 1); the modality's measures.

        ``nmse`` is NaN or infinite where all values of all originals are one.
        """
        metrics: dict[str, Tensor] = {}
        if not self.modality.is_discrete:
            mse = self.squared_error / self.num_values
            variance = self.total_square / self.num_values - (self.total / self.num_values).square()
            metrics = {"mse": mse, "nmse": mse / variance}
            if self.modality.has_psnr:
                metrics["psnr"] = -10 * mse.log10()
        means = self.measured / self.num_samples
        return metrics | {one.name: mean for one, mean in zip(self.measures, means, strict=True)}
