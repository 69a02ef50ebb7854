"""The generator makes the same few samples from whatever latents."""

from __future__ import annotations

from ganvas.callback.detectors.evidence.history import History
from ganvas.callback.detectors.evidence.probe import Probe, mean_pairwise, nearest_others
from ganvas.callback.detectors.interface import Detector, Symptom, require_share, require_window
from ganvas.functional.precision import widened

_SPREAD, _DISTINCT = "health/diversity", "health/distinct"


class ModeCollapse(Detector):
    """Samples lie closer together than real ones: all of them, or each to its nearest other one.

    The first sees a collapse to one mode. The second sees a collapse to several points, which can lie as far
    apart as the data.

    Args:
        probes: measurements in a row in which it must be seen.
        diversity: mean distance within the samples as a share of the same of real ones.
        distinct: mean distance to the nearest other sample as a share of the same of real ones.
    """

    advice = (
        "model.generator_optimizer.lr (lower), model/gradient_penalty=r1, "
        "model/adversarial_loss=rpgan with model/gradient_penalty=r1_r2"
    )

    def __init__(self, *, probes: int, diversity: float, distinct: float) -> None:
        require_window("probes", probes)
        require_share("diversity", diversity)
        require_share("distinct", distinct)
        self.probes, self.diversity, self.distinct = probes, diversity, distinct

    def measure(self, probe: Probe) -> dict[str, float]:
        made, real = probe.generated_distances, probe.reference.train_distances
        if made is None:
            return {}
        count = min(len(made), len(real))  # the nearest of fewer is farther away
        nearest, usual = nearest_others(made[:count, :count]), nearest_others(real[:count, :count])
        return {
            _SPREAD: mean_pairwise(made) / max(mean_pairwise(real), 1e-12),
            _DISTINCT: float(widened(nearest).mean() / widened(usual).mean().clamp(min=1e-12)),
        }

    def look(self, history: History) -> Symptom | None:
        for tag, threshold, what in (
            (_SPREAD, self.diversity, "the mean distance of two samples"),
            (_DISTINCT, self.distinct, "a sample's distance to the nearest other one"),
        ):
            shares = history.last(tag, self.probes)
            if shares and max(shares) < threshold:
                says = f"mode collapse: {what} is {shares[-1]:.1%} of the same of real ones"
                return Symptom(shares[-1], threshold, says)
        return None
