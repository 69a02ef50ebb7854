"""What symbols cost without loss: the bits of their codes, and those that say the symbols given the codes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ganvas.functional.distributed import sum_over_ranks


def symbols_of(data: Any) -> Any:
    """The modality of data whose samples, or those of whose codes, are symbols; None of others."""
    modality = getattr(data, "modality", None) or getattr(getattr(data, "source", None), "modality", None)
    return modality if getattr(modality, "is_discrete", False) else None


class LosslessBits:
    """Sums over samples; ranks' sums are added before anything is computed from them.

    A code of x is a code z and what a decoder says of x given z, so that

        bits(x) = bits(z) - log2 p(x | z)

    is the length of a message from which x comes back to the bit (up to 2 bits by arithmetic coding of all).

    Args:
        modality: of the samples, which are symbols; by its ``units`` bits are told.
        shape: of one sample.
        home: where sums in float64 are kept.
    """

    def __init__(self, modality: Any, shape: Sequence[int], home: torch.device) -> None:
        self.units: Mapping[str, float] = modality.units(shape)
        self._sums = torch.zeros(3, dtype=torch.float64, device=home)  # right, nats left, samples

    def update(self, *, original: Tensor, reconstruction: Tensor, nats: Tensor) -> None:
        """Adds symbols int64 [B, ...], what the codes decode to, and -log p(original | codes) [B]."""
        right = (original == reconstruction).flatten(1).to(self._sums).mean(1).sum()
        own = [right, nats.to(self._sums).sum(), right.new_tensor(len(original))]
        self._sums += torch.stack(own)

    def compute(self, code_bits: float) -> dict[str, float]:
        """The metrics, of codes that take ``code_bits`` a sample in the mean; every rank calls it.

        Returns:
            ``accuracy``; and by each unit, e.g. ``bits_per_byte``: that of all, ``code_...`` of the codes and
            ``decoder_...`` of what is left.
        """
        right, nats, count = sum_over_ranks(self._sums).tolist()
        left = nats / math.log(2) / count
        found = {"accuracy": right / count}
        for unit, divisor in self.units.items():
            found[unit] = (code_bits + left) / divisor
            found[f"code_{unit}"], found[f"decoder_{unit}"] = code_bits / divisor, left / divisor
        return found

    def protocol(self, code: str) -> dict[str, object]:
        """Of the metrics but the accuracy, as plain values.

        Args:
            code: how codes are written.
        """
        names = [f"{part}{unit}" for unit in self.units for part in ("", "code_", "decoder_")]
        return {
            "lossless": "bits of the codes, and -log2 of the decoder's probability of each symbol given them",
            "code": code,
            "units": dict(self.units),
            "metrics": names,
        }
