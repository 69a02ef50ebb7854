"""A number that does not move."""

from __future__ import annotations

from ganvas.functional.schedule import Schedule, require_finite


class Constant(Schedule):
    """The same number throughout, e.g. to switch off a schedule that an experiment has.

    Args:
        value: the number.
    """

    end = None

    def __init__(self, value: float) -> None:
        require_finite(value=value)
        self.value, self.extremes = value, (value,)

    def __call__(self, examples_seen: int) -> float:
        return self.value
