"""A linear rise, then half a cosine (Goyal 2017, arXiv:1706.02677; Loshchilov & Hutter 2017)."""

from __future__ import annotations

import math

from ganvas.errors import require
from ganvas.functional.schedule import Schedule, require_examples, require_finite


class WarmupCosine(Schedule):
    """first + (peak - first) n / warmup for the first ``warmup`` examples, then half a cosine to ``last``.

    Args:
        first: value at the start; of a learning rate above 0, which no optimizer takes.
        peak: value after the warm-up.
        last: value from ``examples`` on.
        warmup: examples of the rise.
        examples: examples seen at which ``last`` is reached; None: never, the rise is all.

    Raises:
        OptionError: ``warmup`` is below 1, or ``examples`` is not beyond it.
    """

    def __init__(self, first: float, peak: float, last: float, warmup: int, examples: int | None) -> None:
        self.first, self.peak, self.last = first, peak, last
        require_finite(first=first, peak=peak, last=last)
        require_examples("warmup", warmup)
        require_examples("examples", examples)
        self.warmup, self.end = warmup, examples
        require(examples is None or warmup < examples, "warmup", warmup, f"must be below examples={examples}")
        self.extremes = first, peak, last

    def __call__(self, examples_seen: int) -> float:
        if examples_seen < self.warmup:
            return self.first + (self.peak - self.first) * examples_seen / self.warmup
        if self.end is None:
            return self.peak
        if examples_seen >= self.end:
            return self.last  # not a rounding beside it
        share = (examples_seen - self.warmup) / (self.end - self.warmup)
        return self.last + (self.peak - self.last) * (1 + math.cos(math.pi * share)) / 2
