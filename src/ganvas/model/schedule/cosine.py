"""Half a cosine from one number to another (Loshchilov & Hutter 2017, arXiv:1608.03983, equation 5)."""

from __future__ import annotations

import math

from ganvas.functional.schedule import Schedule, require_examples, require_finite


class Cosine(Schedule):
    """last + (first - last) (1 + cos(pi min(n / examples, 1))) / 2 after n examples.

    R3GAN's burn-in (Huang 2024, arXiv:2501.05441, appendix) moves all its numbers so over the first part of a
    run and leaves them there.

    Args:
        first: value at the start.
        last: value from ``examples`` on.
        examples: examples seen at which it is reached; None: never, it stays as it begins.

    Raises:
        OptionError: ``examples`` is below 1.
    """

    def __init__(self, first: float, last: float, examples: int | None) -> None:
        require_finite(first=first, last=last)
        require_examples("examples", examples)
        self.first, self.last, self.end = first, last, examples
        self.extremes = first, last

    def __call__(self, examples_seen: int) -> float:
        if self.end is None:
            return self.first
        if examples_seen >= self.end:
            return self.last  # not a rounding beside it
        return self.last + (self.first - self.last) * (1 + math.cos(math.pi * examples_seen / self.end)) / 2
