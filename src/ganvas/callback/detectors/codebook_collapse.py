"""Few of the codes are in use."""

from __future__ import annotations

import math

from ganvas.callback.detectors.evidence.history import History
from ganvas.callback.detectors.evidence.probe import Probe
from ganvas.callback.detectors.interface import Detector, Symptom, require_share, require_window
from ganvas.functional.code_usage import counts_to_sum, usage

_USED, _PERPLEXITY = "health/codes_used", "health/perplexity"


class CodebookCollapse(Detector):
    """Codes that real samples use, and their perplexity, as shares of what the vectors could reach.

    Of several levels the worst one's.

    V vectors that choose evenly among K codes use K (1 - (1 - 1/K)^V) of them on average: with fewer vectors
    than codes not all can be in use.

    Args:
        probes: measurements in a row in which it must be seen.
        used: codes in use, as a share of what can be reached.
        perplexity: likewise.
    """

    advice = (
        "model.quantizer.restart_after=50 (vq) or model.quantizer.restart_threshold=0.1 (vq_ema), "
        "model.quantizer.decay (lower: vq_ema), model.quantizer.entropy_cost (higher: vq, lfq, bsq, ibq), "
        "model.num_embeddings (fewer), model/quantizer=fsq"
    )

    def __init__(self, *, probes: int, used: float, perplexity: float) -> None:
        require_window("probes", probes)
        require_share("used", used)
        require_share("perplexity", perplexity)
        self.probes, self.used, self.perplexity = probes, used, perplexity

    def measure(self, probe: Probe) -> dict[str, float]:
        if probe.reconstruction is None:
            return {}
        found: dict[str, float] = {}
        for indices, size in zip(probe.reconstruction[1], probe.recipe.codebook_sizes, strict=True):
            used = usage(counts_to_sum(indices, size))
            reach = reachable(size, indices.numel())
            for tag, name in ((_USED, "codes_used"), (_PERPLEXITY, "perplexity")):
                found[tag] = min(found.get(tag, math.inf), float(used[name]) / reach)
        return found

    def look(self, history: History) -> Symptom | None:
        for tag, threshold, what in (
            (_USED, self.used, "the codes in use are"),
            (_PERPLEXITY, self.perplexity, "the codes' perplexity is"),
        ):
            shares = history.last(tag, self.probes)
            if shares and max(shares) < threshold:
                says = f"the codebook collapses: {what} {shares[-1]:.1%} of what the vectors could reach"
                return Symptom(shares[-1], threshold, says)
        return None


def reachable(codes: int, vectors: int) -> float:
    """Expected number of codes in use where ``vectors`` choose evenly among ``codes``."""
    return codes * -math.expm1(vectors * math.log1p(-1 / codes)) if codes > 1 else 1.0
