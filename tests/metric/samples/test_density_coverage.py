"""Density and coverage against a loop over scikit-learn's neighbours, and where both are known."""

from __future__ import annotations

import pytest
import torch
from observed import metrics, normal, side
from sklearn.neighbors import NearestNeighbors

from ganvas.errors import OptionError
from ganvas.metric.samples.density_coverage import DensityCoverage


def reference(real: torch.Tensor, generated: torch.Tensor, k: int) -> dict[str, float]:
    array = real.double().numpy()
    radii = NearestNeighbors(n_neighbors=k + 1).fit(array).kneighbors(array)[0][:, -1]
    near = [
        sum((point - centre).double().norm().item() < r for point in generated)
        for centre, r in zip(real, radii, strict=True)
    ]
    return {
        "density": sum(near) / (k * len(generated)),
        "coverage": sum(count > 0 for count in near) / len(real),
    }


@pytest.mark.parametrize("k", [2, 5])
def test_agrees_with_a_loop(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganvas.functional.neighbours._CPU_PAIRS", 300)  # several chunks
    real, generated = normal(0, 60, 3, shift=100), normal(1, 45, 3, scale=0.6, shift=100.3)
    made = metrics(DensityCoverage(k), real=side(real), generated=side(generated))
    assert made == pytest.approx(reference(real, generated, k), rel=1e-12)
    swapped = metrics(DensityCoverage(k), real=side(generated), generated=side(real))
    assert abs(swapped["density"] - made["density"]) > 0.1


def test_equal_sets_and_disjoint_sets() -> None:
    steps = torch.randperm(200, generator=torch.Generator().manual_seed(3))[:30]
    points = torch.stack([steps**2, steps % 7], dim=1).float()  # whole numbers: exact distances, no two equal
    radii = torch.cdist(points, points).sort(1).values
    assert (radii[:, 5] < radii[:, 6]).all()
    equal = metrics(DensityCoverage(), real=side(points), generated=side(points.flip(0)))
    assert equal == {"density": pytest.approx(1.0, rel=1e-12), "coverage": 1.0}
    apart = metrics(DensityCoverage(), real=side(points), generated=side(points + 1e6))
    assert apart == {"density": 0.0, "coverage": 0.0}


def test_a_dropped_mode_costs_coverage_and_an_outlier_nothing() -> None:
    near, far = normal(3, 40, 2, scale=0.1), normal(4, 40, 2, scale=0.1, shift=50)
    real = side(torch.cat([near, far]))
    dropped = metrics(DensityCoverage(), real=real, generated=side(near))
    assert dropped["coverage"] == 0.5
    outlier = torch.cat([near[:-1], torch.full((1, 2), 25.0)])
    assert metrics(DensityCoverage(), real=real, generated=side(outlier))["coverage"] <= 0.5


def test_real_neighbours_are_needed() -> None:
    DensityCoverage(5).check_counts({"real": 6, "generated": 1}, num_features=9)
    with pytest.raises(OptionError, match=r"num_samples=5: .*real.*k=5; needs at least 6"):
        DensityCoverage(5).check_counts({"real": 5, "generated": 9}, num_features=9)
    with pytest.raises(OptionError, match="k=0"):
        DensityCoverage(0)
