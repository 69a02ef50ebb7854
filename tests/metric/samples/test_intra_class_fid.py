"""The mean of the classes' own distances."""

from __future__ import annotations

import pytest
import torch
from observed import metrics, normal, side

from ganvas.errors import OptionError
from ganvas.functional.frechet import frechet_distance
from ganvas.metric.samples.intra_class_fid import IntraClassFID


def distance(real: torch.Tensor, generated: torch.Tensor) -> float:
    return frechet_distance(
        mean_1=real.double().mean(0),
        covariance_1=torch.cov(real.double().T),
        mean_2=generated.double().mean(0),
        covariance_2=torch.cov(generated.double().T),
    ).item()


@pytest.mark.parametrize("num_features", [3, 30])
def test_every_class_weighs_the_same(num_features: int) -> None:
    """With 30 features the covariances within a class are of deficient rank."""
    real, generated = normal(0, 40, num_features), normal(1, 50, num_features, scale=1.5)
    of_real = torch.arange(40) % 10 // 7  # 28 of class 0 and 12 of class 1
    of_generated = torch.arange(50) % 2
    real[of_real == 1] += 3
    made = metrics(
        IntraClassFID(), real=side(real, label=of_real), generated=side(generated, label=of_generated)
    )
    parts = [distance(real[of_real == c], generated[of_generated == c]) for c in (0, 1)]
    assert made == {"intra_class_fid": pytest.approx(sum(parts) / 2, rel=1e-7)}
    assert abs(parts[0] - parts[1]) > 1


def test_classes_that_are_swapped_are_seen() -> None:
    label = torch.arange(40) % 2
    points = normal(0, 40, 3) + 5 * label[:, None]
    same = metrics(IntraClassFID(), real=side(points, label=label), generated=side(points, label=label))
    swapped = metrics(
        IntraClassFID(), real=side(points, label=label), generated=side(points, label=1 - label)
    )
    assert same["intra_class_fid"] < 1e-9
    assert swapped["intra_class_fid"] > 50


def test_labels_are_needed_and_two_samples_of_every_class() -> None:
    points = normal(0, 8, 3)
    labelled = side(points, label=torch.tensor([0, 0, 0, 0, 0, 0, 4, 4]))
    with pytest.raises(OptionError, match="samples=intra_class_fid: needs labels, and the generated samples"):
        metrics(IntraClassFID(), real=labelled, generated=side(points))
    for few in (torch.zeros(8, dtype=torch.int64), torch.tensor([0] * 7 + [4])):
        with pytest.raises(OptionError, match=r"num_samples=8: gives class 4 [01] generated samples.*2 of"):
            metrics(IntraClassFID(), real=labelled, generated=side(points, label=few))
