"""Nothing of the image passes through the bottleneck."""

from __future__ import annotations

from ganvas.callback.detectors.evidence.history import History
from ganvas.callback.detectors.evidence.probe import Probe
from ganvas.callback.detectors.interface import Detector, Symptom, require_window
from ganvas.errors import require
from ganvas.functional.precision import widened

_TAG = "health/unexplained"


class DeadEncoder(Detector):
    """Reconstructions no better than the mean sample.

    The value is the squared error over the samples' variance about their mean. No decoder that does not see
    the sample gets below 1; what the encoder passes on brings it down.

    Args:
        probes: measurements in a row in which it must be seen.
        unexplained: share of the variance from which on the encoder counts as dead.
    """

    advice = "model.optimizer.lr (lower), model.quantizer.commitment_cost (lower)"

    def __init__(self, *, probes: int, unexplained: float) -> None:
        require_window("probes", probes)
        require(unexplained > 0, "unexplained", unexplained, "must be positive; 0.95 is usual")
        self.probes, self.unexplained = probes, unexplained

    def measure(self, probe: Probe) -> dict[str, float]:
        if probe.reconstruction is None or not probe.reference.has_distances:
            return {}
        real = widened(probe.reference.train.x)
        error = (widened(probe.reconstruction[0]) - real).square().mean()
        return {_TAG: float(error / (real - real.mean(0)).square().mean().clamp(min=1e-12))}

    def look(self, history: History) -> Symptom | None:
        shares = history.last(_TAG, self.probes)
        if not shares or min(shares) < self.unexplained:
            return None
        says = (
            f"nothing passes the bottleneck: the reconstructions' squared error is {shares[-1]:.2f} of the "
            "variance, and the mean sample alone has 1"
        )
        return Symptom(shares[-1], self.unexplained, says)
