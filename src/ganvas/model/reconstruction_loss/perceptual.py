"""Distance of what a frozen network sees in two samples (Dosovitskiy & Brox 2016, arXiv:1602.02644).

With features of length 1 it is equation 1 of LPIPS (Zhang 2018, arXiv:1801.03924) at one layer, unweighted.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ganvas.errors import OptionError, require
from ganvas.functional.batch import DataFacts
from ganvas.model.reconstruction_loss.interface import ReconstructionLoss

_GROUP = "metric/features@model.reconstruction_loss.perceptual.features"  # where perceptual.yaml places it


@runtime_checkable
class FrozenFeatures(Protocol):
    """A fixed, differentiable map from samples to feature vectors: any option of metric/features.

    One that has weights names them by its ``protocol``, plain values that are read after :meth:`check`.
    """

    def check(self, facts: DataFacts) -> None:
        """Called once before training; it may load what belongs to these data, or raise OptionError."""
        ...

    def __call__(self, x: Tensor) -> Any:
        """Samples [B, ...] in [-1, 1] to what has ``features`` float [B, F], on the same device."""
        ...


class Perceptual(ReconstructionLoss):
    """Mean over samples of |f(reconstruction) - f(target)|^2, for features f of an extractor that is frozen.

    The extractor is no module of the recipe: its weights are in no checkpoint and in no optimizer. It is
    called without autocast; gradients pass it to the reconstruction.

    Args:
        features: the extractor; it loads what it needs in :meth:`check`.
        scale_to_unit: each f is divided by its length, so that distances lie in [0, 4] whatever the
            extractor; otherwise they are in its own units, and means over the F features.
        weight: what it is multiplied by.

    Raises:
        OptionError: a weight that is not positive.
    """

    def __init__(self, features: FrozenFeatures, scale_to_unit: bool = True, weight: float = 1.0) -> None:
        super().__init__(weight)
        self.features, self.scale_to_unit = features, scale_to_unit

    def __call__(self, *, reconstruction: Tensor, target: Tensor) -> Tensor:
        with torch.autocast(reconstruction.device.type, enabled=False):
            made = self.features(reconstruction).features  # [B, F]
            with torch.no_grad():
                wanted = self.features(target).features
            if self.scale_to_unit:
                made, wanted = normalize(made, dim=1), normalize(wanted, dim=1)
            squared = (made - wanted).square()
            distances = squared.sum(1) if self.scale_to_unit else squared.mean(1)  # [B]
            return distances.mean().to(reconstruction.dtype)

    def check(self, facts: Callable[[], DataFacts]) -> None:
        """Loads the extractor, and sees whether a gradient passes it."""
        there = facts()
        try:
            self.features.check(there)
        except OptionError as error:
            own = error.option.split(".")[0] == "features"
            named = error.option if own else f"features.{error.option}"
            reason = error.reason.replace("metric/features=", f"{_GROUP}=")
            raise OptionError(named, error.value, reason) from error
        with torch.enable_grad():
            ramp = torch.linspace(-0.9, 0.9, math.prod(there.sample_shape))
            x = torch.stack([ramp, ramp.flip(0)]).view(2, *there.sample_shape).requires_grad_(True)
            seen = self.features(x).features
        passes = seen.requires_grad and bool(torch.autograd.grad(seen.square().sum(), x)[0].any())
        rule = f"lets no gradient through, so that nothing would learn from it; {_GROUP}=... chooses another"
        require(passes, "features", type(self.features).__name__, rule)

    def rests_on(self) -> dict[str, object]:
        return dict(getattr(self.features, "protocol", {}))
