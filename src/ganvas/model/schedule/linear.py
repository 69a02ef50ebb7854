"""A straight line from one number to another."""

from __future__ import annotations

from ganvas.errors import is_whole, require
from ganvas.functional.schedule import Schedule, require_examples, require_finite


class Linear(Schedule):
    """first + (last - first) min(n / examples, 1) after n examples, and ``first`` before ``start``.

    With a ``last`` of 0 a learning rate decays as in SNGAN (Miyato 2018) and Pix2Pix, whose rate stays for
    the first half.

    Args:
        first: value at the start.
        last: value from ``examples`` on.
        examples: examples seen at which it is reached; None: never, it stays as it begins.
        start: examples seen up to which it stays at ``first``.

    Raises:
        OptionError: ``examples`` is below 1 or not beyond ``start``, or ``start`` is negative.
    """

    def __init__(self, first: float, last: float, examples: int | None, start: int = 0) -> None:
        require_finite(first=first, last=last)
        require_examples("examples", examples)
        self.first, self.last, self.end = first, last, examples
        fits = is_whole(start) and start >= 0 and (examples is None or start < examples)
        require(fits, "start", start, f"must be a whole number of at least 0 and below examples={examples}")
        self.start, self.extremes = start, (first, last)

    def __call__(self, examples_seen: int) -> float:
        if self.end is None:
            return self.first
        if examples_seen >= self.end:
            return self.last  # not a rounding beside it
        share = max(0, examples_seen - self.start) / (self.end - self.start)
        return self.first + (self.last - self.first) * share
