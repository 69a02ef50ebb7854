"""Distance of log-mel spectra at several resolutions (Kumar 2023, arXiv:2306.06546, section 3.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ganvas.errors import is_whole, require, require_number
from ganvas.functional.batch import DataFacts
from ganvas.functional.spectra import FLOOR, log_mel, mel_filterbank
from ganvas.model.reconstruction_loss.interface import ReconstructionLoss
from ganvas.model.reconstruction_loss.stft import check_sounds, require_sounds, require_windows


class Mel(ReconstructionLoss):
    """Mean over windows of mean(|L(target) - L(reconstruction)|), L = log10(mel + floor), one band and frame.

    The mel bands are those of :func:`ganvas.functional.spectra.log_mel`, over 20: a tenth is 2 dB. Hops are a
    quarter of a window.

    Args:
        rate: samples a second; None where the data are no sounds.
        windows: lengths of Hann windows, samples, each at least 4.
        bands: mel bands of each window; so many that each band has a frequency of its window.
        floor: amplitude added before the logarithm, positive: 80 dB below a full-scale sine.
        weight: what it is multiplied by.

    Raises:
        OptionError: data that are no sounds, a weight that is not positive, other windows or another floor,
            another number of bands than of windows, or more bands than a window has frequencies for.
    """

    def __init__(
        self,
        rate: int | None,
        windows: Sequence[int] = (32, 64, 128, 256, 512, 1024),
        bands: Sequence[int] = (3, 6, 12, 25, 50, 100),
        floor: float = FLOOR,
        weight: float = 1.0,
    ) -> None:
        super().__init__(weight)
        require(
            is_whole(rate) and rate is not None and rate > 0,
            "rate",
            rate,
            "must be known; data.rate=8000, or other data than sounds without this loss",
        )
        assert rate is not None
        self.rate, self.windows, self.bands = rate, require_windows(windows), tuple(bands)
        rule = f"must be as many as windows, {len(self.windows)}; one number each"
        require(len(bands) == len(windows), "bands", list(bands), rule)
        for window, own in zip(self.windows, self.bands, strict=True):
            try:
                mel_filterbank(rate, window, own)
            except ValueError as error:
                rule = (
                    f"too many for a window of {window} samples at {rate} Hz; fewer bands, or a longer window"
                )
                require(False, "bands", own, rule)
                raise AssertionError from error
        require_number("floor", floor, "1.0e-4 is 80 dB below full scale", positive=True)
        self.floor = floor

    def __call__(self, *, reconstruction: Tensor, target: Tensor) -> Tensor:
        require_sounds(reconstruction)
        terms = []
        for window, bands in zip(self.windows, self.bands, strict=True):
            made, wanted = (
                log_mel(x, self.rate, window, window // 4, bands, self.floor)
                for x in (reconstruction, target)
            )
            terms.append((made - wanted).abs().mean() / 20)
        return torch.stack(terms).mean()

    def check(self, facts: Callable[[], DataFacts]) -> None:
        check_sounds(facts())
