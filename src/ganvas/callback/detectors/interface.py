"""What the health callback asks of a detector."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from ganvas.callback.detectors.evidence.history import History
from ganvas.callback.detectors.evidence.probe import Probe
from ganvas.errors import require


class Symptom(NamedTuple):
    """What a detector has seen.

    Attributes:
        value: what was measured.
        threshold: the option's value that it has passed.
        says: one sentence with the metrics in it.
    """

    value: float
    threshold: float
    says: str


class Detector(ABC):
    """One thing that goes wrong. It keeps nothing between two looks: all it rests on is in the history.

    Attributes:
        advice: the option that usually helps, as it is written on the command line.
        waits: whether it is asked only once the warm-up is over; else after each measurement as well.
        probes, window: measurements and reports after the warm-up that it needs before it can find anything.
    """

    advice: ClassVar[str]
    waits: ClassVar[bool] = True
    probes: int = 0
    window: int = 0

    def measure(self, probe: Probe) -> dict[str, float]:
        """Metrics of now, named ``health/...``, which go into the history; none where they do not apply.

        Called at the callback's cadence, on the first rank alone, in eval mode and without gradients.
        """
        del probe
        return {}

    @abstractmethod
    def look(self, history: History) -> Symptom | None:
        """Called after each report and each measurement, once the warm-up is over, until it has found.

        One that does not wait is also called after measurements of before, and after one at the run's end, of
        which ``history.newest`` alone knows.
        """


def require_window(option: str, value: int, least: int = 1) -> None:
    """Raises OptionError unless the history can hold a window of so many values."""
    limits = f"must be from {least} to {History.longest}"
    require(least <= value <= History.longest, option, value, limits)


def require_share(option: str, value: float) -> None:
    """Raises OptionError unless the value lies between 0 and 1."""
    require(0 < value < 1, option, value, "must be between 0 and 1")
