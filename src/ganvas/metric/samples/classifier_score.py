"""The classifier score; with the Inception network, the Inception Score (Salimans 2016, arXiv:1606.03498)."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.errors import require
from ganvas.metric.interface import Observation, SampleMetric


class ClassifierScore(SampleMetric):
    """``exp E KL(p(y|x) || p(y))`` of generated samples alone: sharp labels of many classes score high.

    The samples are cut in order of their numbers, split i being those from ``i * N // splits`` on, as in the
    authors' code; the metrics are mean and population deviation over the splits. It sees neither real samples
    nor variety within a class.

    Args:
        splits: how many; 10 in the paper.

    Raises:
        OptionError: splits below 1.
    """

    directions = {"classifier_score": True, "classifier_score_deviation": None}
    sides = ("generated",)
    needs_logits = True

    def __init__(self, splits: int = 10) -> None:
        super().__init__()
        require(splits >= 1, "splits", splits, "must be at least 1; 10 is usual")
        self.splits = splits

    @property
    def protocol(self) -> dict[str, object]:
        """The splits, and what is taken over them."""
        return {
            "splits": self.splits,
            "cut": "from i * N // splits on",
            "order": "of the samples' numbers",
            "ddof": 0,
            "dtype": "float64",
        }

    def begin(self, num_features: int, num_logits: int | None) -> None:
        del num_features
        assert num_logits is not None
        self.keep_rows("generated_logits", num_logits)

    def check_counts(self, counts: dict[str, int], num_features: int) -> None:
        """Two samples a split."""
        del num_features
        need, count = 2 * self.splits, counts["generated"]
        reason = f"is too few samples for classifier_score with splits={self.splits}; needs at least {need}"
        require(count >= need, "num_samples", count, reason)

    def update(self, seen: Observation, *, side: str) -> None:
        """Adds a batch; other sides are left aside."""
        if side == "generated":
            assert seen.logits is not None
            self.add_rows("generated_logits", seen.number, seen.logits)

    def compute(self) -> dict[str, Tensor]:
        """``classifier_score`` in [1, K]; ``classifier_score_deviation``."""
        log_p = self.rows("generated_logits").double().log_softmax(1)  # [N, K]
        ends = [i * len(log_p) // self.splits for i in range(1, self.splits)]
        scores = torch.stack([_score(part) for part in log_p.tensor_split(ends)])
        return {
            "classifier_score": scores.mean(),
            "classifier_score_deviation": scores.std(correction=0),
        }


def _score(log_p: Tensor) -> Tensor:
    """Log probabilities [n, K] to the score, scalar."""
    log_marginal = log_p.logsumexp(0) - torch.tensor(len(log_p), dtype=log_p.dtype).log()  # [K]
    return (log_p.exp() * (log_p - log_marginal)).nan_to_num(0).sum(1).mean().exp()
