"""Precision and recall against a loop over scikit-learn's neighbours, and where both are known."""

from __future__ import annotations

import pytest
import torch
from observed import metrics, normal, side
from sklearn.neighbors import NearestNeighbors

from ganvas.errors import OptionError
from ganvas.metric.samples.precision_recall import PrecisionRecall


def reference(real: torch.Tensor, generated: torch.Tensor, k: int) -> tuple[float, float]:
    def share_inside(points: torch.Tensor, manifold: torch.Tensor) -> float:
        array = manifold.double().numpy()
        radii = NearestNeighbors(n_neighbors=k + 1).fit(array).kneighbors(array)[0][:, -1]
        inside = [
            any((point - centre).double().norm() <= r for centre, r in zip(manifold, radii, strict=True))
            for point in points
        ]
        return sum(inside) / len(inside)

    return share_inside(generated, real), share_inside(real, generated)


@pytest.mark.parametrize("k", [1, 3])
def test_agrees_with_a_loop(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganvas.functional.neighbours._CPU_PAIRS", 300)  # several chunks
    real, generated = normal(0, 60, 3, shift=100), normal(1, 45, 3, scale=0.6, shift=100.3)
    precision, recall = reference(real, generated, k)
    made = metrics(PrecisionRecall(k), real=side(real), generated=side(generated))
    assert made == {"precision": precision, "recall": recall}
    assert precision > recall + 0.1


def test_equal_sets_and_disjoint_sets() -> None:
    points = normal(2, 30, 4)
    equal = metrics(PrecisionRecall(), real=side(points), generated=side(points.flip(0)))
    assert equal == {"precision": 1.0, "recall": 1.0}
    apart = metrics(PrecisionRecall(), real=side(points), generated=side(points + 100))
    assert apart == {"precision": 0.0, "recall": 0.0}


def test_a_dropped_mode_costs_recall_alone() -> None:
    near, far = normal(3, 40, 2, scale=0.1), normal(4, 40, 2, scale=0.1, shift=50)
    made = metrics(
        PrecisionRecall(),
        real=side(torch.cat([near, far])),
        generated=side(near + 0.001),
    )
    assert made["precision"] == 1.0
    assert made["recall"] == pytest.approx(0.5)


def test_neighbours_are_needed() -> None:
    PrecisionRecall(3).check_counts({"real": 4, "generated": 4}, num_features=9)
    with pytest.raises(OptionError, match=r"num_samples=3: .*generated.*k=3; needs at least 4"):
        PrecisionRecall(3).check_counts({"real": 4, "generated": 3}, num_features=9)
    with pytest.raises(OptionError, match="k=0"):
        PrecisionRecall(0)
