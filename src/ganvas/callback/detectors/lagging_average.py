"""The averaged weights make worse samples than the trained ones."""

from __future__ import annotations

from ganvas.callback.detectors.evidence.history import History
from ganvas.callback.detectors.evidence.probe import Probe
from ganvas.callback.detectors.interface import Detector, Symptom
from ganvas.errors import require

_RAW, _AVERAGED = "health/energy", "health/energy_averaged"


class LaggingAverage(Detector):
    """Samples of the average lie further from the data than those of the trained weights do.

    Both are made from the same latents and compared with the same training samples (:attr:`Probe.energy`,
    :attr:`Probe.energy_averaged`). An average lags in a run that is short against its half-life, so that
    this detector does not wait for the warm-up.

    Args:
        ratio: energy distance of averaged samples over that of raw ones, from which on it counts.
        excess: least difference of the two that counts; smaller ones are noise of good samples.
    """

    advice = "model.ema.ramp=0.05, model.ema.half_life (shorter), trainer.max_examples (more), model/ema=none"
    waits = False

    def __init__(self, *, ratio: float, excess: float) -> None:
        require(ratio > 1, "ratio", ratio, "must be over 1; 1.25 is usual")
        require(excess >= 0, "excess", excess, "must be 0 or more; 0.02 is usual")
        self.ratio, self.excess = ratio, excess

    def measure(self, probe: Probe) -> dict[str, float]:
        return probe.energy | probe.energy_averaged if probe.energy_averaged else {}

    def look(self, history: History) -> Symptom | None:
        raw, averaged = history.newest(_RAW), history.newest(_AVERAGED)
        if raw is None or averaged is None or averaged - raw <= self.excess:
            return None
        if (value := averaged / max(raw, 1e-12)) <= self.ratio:
            return None
        says = (
            f"the averaged weights lag behind: their samples lie {value:.2f} times as far from the data as "
            f"those of the trained weights (energy distance {averaged:.3f}, raw {raw:.3f}), which --raw takes"
        )
        return Symptom(value, self.ratio, says)
