"""The generator repeats training samples."""

from __future__ import annotations

from ganvas.callback.detectors.evidence.history import History
from ganvas.callback.detectors.evidence.probe import Probe, distances
from ganvas.callback.detectors.interface import Detector, Symptom, require_share, require_window

_TAG = "health/novelty"
_LEAST_VALUES = 16  # of a sample; points of the plane always have a training point beside them


class Memorization(Detector):
    """Samples lie closer to training samples than held-out ones do.

    The value is the median distance of a sample to its nearest training sample over the same of held-out
    ones, in pixels (images averaged down to 16 x 16; others as their modality sums them up): 1 where samples
    are as new as these, 0 for copies.
    Points of the plane are left out.

    Args:
        probes: measurements in a row in which it must be seen.
        novelty: the value below which it counts.
    """

    advice = (
        "more training data, data.random_shift=1, data.horizontal_flip=true, model/augment=diffaugment, "
        "trainer.max_examples (fewer)"
    )

    def __init__(self, *, probes: int, novelty: float) -> None:
        require_window("probes", probes)
        require_share("novelty", novelty)
        self.probes, self.novelty = probes, novelty

    def measure(self, probe: Probe) -> dict[str, float]:
        if probe.generated is None or probe.reference.train.x[0].numel() < _LEAST_VALUES:
            return {}
        usual = probe.reference.held_out_nearest
        if usual is None:
            return {}
        nearest = distances(probe.reference.small(probe.generated), probe.reference.neighbours).amin(1)
        return {_TAG: float(nearest.median() / usual.median().clamp(min=1e-12))}

    def look(self, history: History) -> Symptom | None:
        ratios = history.last(_TAG, self.probes)
        if not ratios or max(ratios) > self.novelty:
            return None
        says = (
            f"the generator memorizes: a sample is {ratios[-1]:.2f} times as far from its nearest training "
            "sample as a held-out one"
        )
        return Symptom(ratios[-1], self.novelty, says)
