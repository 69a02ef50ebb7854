"""Both losses swing wider and wider instead of settling."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, median

from ganvas.callback.detectors.evidence.history import History
from ganvas.callback.detectors.interface import Detector, Symptom, require_window
from ganvas.errors import require


class Oscillation(Detector):
    """Wide swings of both networks' losses that grow over a window.

    A swing is a move from one turning point to the next, by more than ``swing`` times the median of the
    loss's size over the window; smaller moves are noise and turn nothing.

    Args:
        window: reports that are looked at.
        swing: least size of a swing, as a multiple of the loss's median size.
        swings: least number of swings of each loss in the window.
        growth: mean size of the later half of the swings over the earlier half's, from which on it counts.
    """

    advice = (
        "model/gradient_penalty=r1, model.generator_optimizer.beta1=0.5 and "
        "model.discriminator_optimizer.beta1=0.5, their lr (lower)"
    )

    def __init__(self, *, window: int, swing: float, swings: int, growth: float) -> None:
        require_window("window", window, least=8)
        require(swing > 0, "swing", swing, "must be positive; 0.5 is usual")
        require(swings >= 2, "swings", swings, "must be at least 2; 4 is usual")
        require(growth > 0, "growth", growth, "must be positive; 2 is usual")
        self.window, self.swing, self.swings, self.growth = window, swing, swings, growth

    def look(self, history: History) -> Symptom | None:
        growths = [
            self.growth_of(history.last(f"loss/{network}", self.window))
            for network in ("generator", "discriminator")
        ]
        if any(growth is None or growth < self.growth for growth in growths):
            return None
        value = min(growth for growth in growths if growth is not None)
        says = (
            f"the losses oscillate: over {self.window} reports both swing by more than {self.swing:g} times "
            f"their size, and the later swings are {value:.2f} times as wide as the earlier ones"
        )
        return Symptom(value, self.growth, says)

    def growth_of(self, values: Sequence[float]) -> float | None:
        """Later swings over earlier ones; None where there are too few."""
        level = median(abs(value) for value in values) if values else 0.0
        if level == 0:
            return None
        sizes = swings(values, self.swing * level)
        if len(sizes) < self.swings:
            return None
        half = len(sizes) // 2
        return fmean(sizes[-half:]) / fmean(sizes[:half])


def swings(values: Sequence[float], least: float) -> list[float]:
    """Sizes of the moves between turning points, of those larger than ``least``; the last may go on."""
    sizes: list[float] = []
    low = high = values[0]
    turn, up = values[0], None
    for value in values[1:]:
        low, high = min(low, value), max(high, value)
        if up is not True and value - low > least:  # it has risen from a low
            if up is False:
                sizes.append(turn - low)
            turn, up, high = low, True, value
        elif up is not False and high - value > least:
            if up is True:
                sizes.append(high - turn)
            turn, up, low = high, False, value
    if up is not None:
        sizes.append(abs((high if up else low) - turn))
    return sizes
