"""The discriminator knows the training samples by heart."""

from __future__ import annotations

from ganvas.callback.detectors.evidence.history import History
from ganvas.callback.detectors.evidence.probe import Probe
from ganvas.callback.detectors.interface import Detector, Symptom, require_window
from ganvas.errors import require
from ganvas.functional.precision import widened
from ganvas.model.interface import Discriminates

_TAG, _RT = "health/overfitting", "health/r_t"


class DiscriminatorOverfitting(Detector):
    """The discriminator tells training samples from held-out ones, which are as real.

    The value is the share of the pairs of a training and a held-out sample in which the training one has the
    larger logit, ties counted half: 0.5 where it knows neither. Beside it stands ADA's
    r_t = E[sign(D(train))] (Karras 2020, arXiv:2006.06676, equation 1), which alone is high for any
    discriminator that wins, and means nothing where a loss leaves the logits' offset free.

    Args:
        probes: measurements in a row in which it must be seen.
        pairs: share of the pairs from which on it counts.
    """

    advice = (
        "more training data, model/augment=diffaugment, data.random_shift=1, data.horizontal_flip=true, "
        "model/gradient_penalty=r1"
    )

    def __init__(self, *, probes: int, pairs: float) -> None:
        require_window("probes", probes)
        require(0.5 < pairs < 1, "pairs", pairs, "must be over 0.5, which is chance, and below 1")
        self.probes, self.pairs = probes, pairs

    def measure(self, probe: Probe) -> dict[str, float]:
        held_out, train = probe.reference.held_out, probe.reference.train
        if not isinstance(probe.recipe, Discriminates) or held_out is None:
            return {}
        known = widened(probe.recipe.discriminate(train.x, train.label))  # [N]
        other = widened(probe.recipe.discriminate(held_out.x, held_out.label))  # [M]
        difference = known[:, None] - other[None, :]
        return {
            _TAG: float((difference.sign().mean() + 1) / 2),
            _RT: float(known.sign().mean()),
        }

    def look(self, history: History) -> Symptom | None:
        shares, signs = history.last(_TAG, self.probes), history.last(_RT, 1)
        if not shares or min(shares) < self.pairs:
            return None
        says = (
            f"D overfits: it ranks a training sample over a held-out one in {shares[-1]:.1%} of the pairs, "
            f"50 % being chance (r_t = {signs[0]:.2f})"
        )
        return Symptom(shares[-1], self.pairs, says)
