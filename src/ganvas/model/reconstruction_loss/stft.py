"""Distance of STFT magnitudes at several scales, plain and logarithmic (Engel 2020, arXiv:2001.04643)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ganvas.errors import is_whole, require, require_number
from ganvas.functional.batch import DataFacts
from ganvas.functional.spectra import stft_magnitude
from ganvas.model.reconstruction_loss.interface import ReconstructionLoss


class STFT(ReconstructionLoss):
    """Mean over windows of mean(||S| - |R||) + log_weight mean(|ln(|S| + floor) - ln(|R| + floor)|).

    Equation 4 of the paper, with means in the place of sums, so that no window outweighs the others.
    Magnitudes are those of :func:`ganvas.functional.spectra.stft_magnitude`, of channels each by itself; hops
    are a quarter of a window. Each sample's share is its own: a batch in parts has the mean of the parts.

    Args:
        windows: lengths of Hann windows, samples, each at least 4.
        log_weight: of the logarithmic term, at least 0.
        floor: amplitude added before the logarithm, positive: 80 dB below a full-scale sine.
        weight: what it is multiplied by.

    Raises:
        OptionError: a weight that is not positive, a window under 4 samples, or another floor.
    """

    def __init__(
        self,
        windows: Sequence[int] = (2048, 1024, 512, 256, 128, 64),
        log_weight: float = 1.0,
        floor: float = 1e-4,
        weight: float = 1.0,
    ) -> None:
        super().__init__(weight)
        self.windows = require_windows(windows)
        require_number("log_weight", log_weight, "1 is the paper's")
        require_number("floor", floor, "1.0e-4 is 80 dB below full scale", positive=True)
        self.log_weight, self.floor = log_weight, floor

    def __call__(self, *, reconstruction: Tensor, target: Tensor) -> Tensor:
        require_sounds(reconstruction)
        terms = []
        for window in self.windows:
            made, wanted = (stft_magnitude(x, window, window // 4) for x in (reconstruction, target))
            apart = (made - wanted).abs().mean()
            if self.log_weight:
                logs = ((made + self.floor).log() - (wanted + self.floor).log()).abs().mean()
                apart = apart + self.log_weight * logs
            terms.append(apart)
        return torch.stack(terms).mean()

    def check(self, facts: Callable[[], DataFacts]) -> None:
        check_sounds(facts())


def require_windows(windows: Sequence[int]) -> tuple[int, ...]:
    """The windows; raises OptionError unless there is one, and each is of at least 4 samples."""
    fits = len(windows) > 0 and all(is_whole(window) and window >= 4 for window in windows)
    require(fits, "windows", list(windows), "must name at least one window, each of at least 4 samples")
    return tuple(windows)


def require_sounds(x: Tensor) -> None:
    """Raises ValueError unless x is [B, C, T]."""
    if x.ndim != 3:
        raise ValueError(f"samples of shape {list(x.shape)}: this loss takes sounds [B, C, T]")


def check_sounds(facts: DataFacts) -> None:
    """Raises OptionError where the data are no sounds."""
    rule = f"takes sounds [channels, samples], and {facts.name} has others; model/reconstruction_loss=[l1]"
    require(len(facts.sample_shape) == 2, "sample_shape", facts.sample_shape, rule)
