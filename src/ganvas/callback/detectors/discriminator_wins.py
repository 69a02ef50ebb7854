"""The discriminator tells real from fake without a doubt, and the generator learns nothing from it."""

from __future__ import annotations

from statistics import fmean, median

from ganvas.callback.detectors.evidence.history import History
from ganvas.callback.detectors.evidence.probe import Probe
from ganvas.callback.detectors.interface import Detector, Symptom, require_share, require_window
from ganvas.errors import require


class DiscriminatorWins(Detector):
    """Accuracy near 1, and the generator's gradient vanishing (Arjovsky & Bottou 2017, arXiv:1701.04862) or
    its loss large, while the samples stay far from the data.

    Accuracy is over pairs of a real and a fake sample, of which the real one should have the larger logit:
    relativistic losses leave the logits' offset free. A deep discriminator may be as sure in good health;
    there the samples have come near, by their energy distance (:attr:`Probe.energy`).

    Args:
        window: reports over which it must last.
        probes: measurements in a row in which samples and data must differ.
        accuracy: mean share of the pairs from which on it counts, 0.5 is chance.
        loss: generator's loss from which on it counts, nats for the losses with a softplus.
        gradient: share of its early level below which the norm of the generator's gradient has vanished.
        energy: energy distance over the data's mean distance, from which on samples and data differ.
    """

    advice = "model.discriminator_optimizer.lr (lower), model/gradient_penalty=r1, model.d_steps_per_g_step=1"

    def __init__(
        self, *, window: int, probes: int, accuracy: float, loss: float, gradient: float, energy: float
    ) -> None:
        require_window("window", window)
        require_window("probes", probes)
        require(0.5 < accuracy <= 1, "accuracy", accuracy, "must be over 0.5, which is chance, and at most 1")
        require(loss > 0, "loss", loss, "must be positive; 2.5 is usual")
        require_share("gradient", gradient)
        require(energy > 0, "energy", energy, "must be positive; 0.2 is usual")
        self.window, self.probes, self.energy = window, probes, energy
        self.accuracy, self.loss, self.gradient = accuracy, loss, gradient

    def measure(self, probe: Probe) -> dict[str, float]:
        return probe.energy

    def look(self, history: History) -> Symptom | None:
        pairs = history.last("accuracy/pairs", self.window)
        losses = history.last("loss/generator", self.window)
        norms = history.last("gradient_norm/generator", self.window)
        early, energy = history.early("gradient_norm/generator"), history.last("health/energy", self.probes)
        if not (pairs and losses and norms and early and energy):
            return None
        if fmean(pairs) < self.accuracy or min(energy) < self.energy:
            return None
        begin = f"D wins: it is right about {fmean(pairs):.1%} of the pairs of a real and a fake sample, and "
        if (loss := median(losses)) >= self.loss:
            return Symptom(loss, self.loss, f"{begin}the generator's loss is {loss:.3g}")
        if (share := median(norms) / early) <= self.gradient:
            says = f"{begin}the generator's gradient has fallen to {share:.2%} of its early level"
            return Symptom(share, self.gradient, says)
        return None
