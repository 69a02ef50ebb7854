"""The discriminator learns nothing, although samples and data differ."""

from __future__ import annotations

from statistics import fmean

from ganvas.callback.detectors.evidence.history import History
from ganvas.callback.detectors.evidence.probe import Probe
from ganvas.callback.detectors.interface import Detector, Symptom, require_window
from ganvas.errors import require


class DiscriminatorCollapse(Detector):
    """Accuracy of chance or below it, while the samples lie far from the data.

    Accuracy near 0.5 alone is what both networks are after. What tells the two apart is the energy distance
    of samples and data, which needs no discriminator (:attr:`Probe.energy`).

    While the game turns, D is behind for a while, and samples and data apart: both must last.

    Args:
        window: reports over which it must last.
        probes: measurements in a row in which samples and data must differ.
        accuracy: mean share of the pairs of real and fake in which the real one has the larger logit, below
            which the discriminator knows nothing; 0.5 is chance.
        energy: energy distance over the data's mean distance, from which on samples and data differ.
    """

    advice = (
        "model.discriminator_optimizer.lr (higher), model/gradient_penalty=r1, model.d_steps_per_g_step=2"
    )

    def __init__(self, *, window: int, probes: int, accuracy: float, energy: float) -> None:
        require_window("window", window)
        require_window("probes", probes)
        require(0.5 <= accuracy < 1, "accuracy", accuracy, "must be from 0.5, which is chance, to below 1")
        require(energy > 0, "energy", energy, "must be positive; 0.2 is usual")
        self.probes, self.window, self.accuracy, self.energy = probes, window, accuracy, energy

    def measure(self, probe: Probe) -> dict[str, float]:
        return probe.energy

    def look(self, history: History) -> Symptom | None:
        pairs, energy = (
            history.last("accuracy/pairs", self.window),
            history.last("health/energy", self.probes),
        )
        if not (pairs and energy) or fmean(pairs) > self.accuracy or min(energy) < self.energy:
            return None
        says = (
            f"D collapses: it is right about {fmean(pairs):.1%} of the pairs of a real and a fake sample, "
            f"though they differ (energy distance {energy[-1]:.2f} of the data's own spread)"
        )
        return Symptom(fmean(pairs), self.accuracy, says)
