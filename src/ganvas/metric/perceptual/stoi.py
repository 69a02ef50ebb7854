"""How well speech can be understood: STOI (Taal 2011), by the package pystoi, which has no weights."""

from __future__ import annotations

import importlib
import math
import warnings
from typing import ClassVar

import torch
import torchmetrics
from torch import Tensor

from ganvas.errors import OptionError, require
from ganvas.functional.batch import DataFacts
from ganvas.functional.contracts import unlike
from ganvas.modality.sound import Sound

RATES = 8000, 48_000  # samples a second; below, the highest third octaves are empty
_ANALYSED = 10_000  # samples a second, to which pystoi resamples
_SHORTEST = (256 + 30 * 128) / _ANALYSED  # seconds of 30 frames, of which a correlation is taken
_TOO_SHORT = 1e-5  # what pystoi returns for fewer, silent ones not counted
_PIECE = 60  # seconds; memory grows with them
_NO = "metric/perceptual=none leaves it out"


class STOI(torchmetrics.Metric):
    """The mean short-time objective intelligibility of reconstructions, from 0 to 1: the correlation of the
    envelopes of third octaves from 150 Hz to 4.3 kHz with the original's, over 0.4 seconds each.

    Of speech alone. Quiet frames of the original do not count, and a sound with fewer than 30 others has no
    value; the mean is over those that have one. A long sound is cut into equal pieces.

    Args:
        extended: ESTOI (Jensen 2016), which is of spectra together and not of each band by itself.
    """

    is_differentiable = False
    full_state_update = False
    higher_is_better = True
    better: ClassVar[dict[str, str]] = {"stoi": "max"}

    total: Tensor
    count: Tensor
    without: Tensor

    def __init__(self, extended: bool = False) -> None:
        super().__init__()
        self.extended = extended
        self._rate: int | None = None
        self._without: int | None = None
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        for name in ("count", "without"):
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    @property
    def protocol(self) -> dict[str, object]:
        """What names the measure; the rate is known after :meth:`check`, and after :meth:`compute` how many
        sounds have no value."""
        without = {} if self._without is None else {"sounds_without_value": self._without}
        return {
            "measure": "STOI",
            "extended": self.extended,
            "source": "Taal 2011, doi:10.1109/TASL.2011.2114881; Jensen 2016, doi:10.1109/TASLP.2016.2585878",
            "rate": self._rate,
            "resampled_to": _ANALYSED,
            "value_range": "[-1, 1], clamped",
            "dtype": "float64",
            "pieces": f"equal, of at most {_PIECE} s; their mean is a sound's",
            "channels": "mean",
            "mean": "over sounds of which 30 frames of the original are within 40 dB of its loudest",
            **without,
        }

    def check(self, facts: DataFacts) -> None:
        """Raises OptionError (``perceptual``): the data are no sounds of its rates, or pystoi is missing."""
        kind = facts.modality
        if not isinstance(kind, Sound):
            reason = f"takes sounds, and {facts.name} has samples of {facts.sample_shape}; {_NO}"
            raise OptionError("perceptual", "stoi", reason)
        low, high = RATES
        reason = f"takes sounds of {low:,} to {high:,} samples a second, and these have {kind.rate:,}; {_NO}"
        require(low <= kind.rate <= high, "perceptual", "stoi", reason)
        try:
            importlib.import_module("pystoi")
        except ImportError as error:
            reason = f"needs pystoi; pip install 'ganvas[sound]', or {_NO}"
            raise OptionError("perceptual", "stoi", reason) from error
        self._rate = kind.rate

    @torch.no_grad()
    def update(self, *, original: Tensor, reconstruction: Tensor) -> None:
        """Adds sounds [B, C, T] in [-1, 1] and their reconstructions.

        Raises:
            ValueError: other shapes, or :meth:`check` has not told the rate.
        """
        if original.shape != reconstruction.shape or original.ndim != 3:
            raise unlike(original=original, reconstruction=reconstruction)
        if self._rate is None:
            raise ValueError("the rate of the sounds is not known; call check(facts) first")
        pairs = zip(*(one.detach().cpu().double().clamp(-1, 1) for one in (original, reconstruction)))
        for x, y in pairs:
            values = [
                value for own in zip(x, y) if (value := self._of_sound(*own, rate=self._rate)) is not None
            ]
            if values:
                self.total = self.total + sum(values) / len(values)
            self.count = self.count + bool(values)
            self.without = self.without + (not values)

    def compute(self) -> dict[str, Tensor]:
        """``stoi``: 1 for equal sounds; NaN where no sound has a value."""
        self._without = int(self.without)
        return {"stoi": self.total / self.count}

    def _of_sound(self, x: Tensor, y: Tensor, *, rate: int) -> float | None:
        """Of one channel [T]; None where it has no value."""
        pieces = max(1, math.ceil(len(x) / (_PIECE * rate)))
        pairs = zip(x.tensor_split(pieces), y.tensor_split(pieces))
        values = [value for pair in pairs if (value := self._of_piece(*pair, rate=rate)) is not None]
        return sum(values) / len(values) if values else None

    def _of_piece(self, x: Tensor, y: Tensor, *, rate: int) -> float | None:
        import pystoi

        if len(x) < _SHORTEST * rate or not bool(x.any()):
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # it warns of what is told apart below
            value = float(pystoi.stoi(x.numpy(), y.numpy(), rate, extended=self.extended))
        return None if value == _TOO_SHORT else value
