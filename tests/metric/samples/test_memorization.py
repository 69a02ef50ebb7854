"""Memorization against scikit-learn's neighbours, and on copies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from observed import metrics, normal, side
from sklearn.neighbors import NearestNeighbors

from ganvas.errors import OptionError
from ganvas.metric.samples.memorization import Memorization

TRAIN, REAL = normal(0, 90, 3, shift=20), normal(1, 50, 3, shift=20)


def nearest(x: torch.Tensor) -> np.ndarray:
    return NearestNeighbors(n_neighbors=1).fit(TRAIN.double().numpy()).kneighbors(x.double().numpy())[0][:, 0]


def test_agrees_with_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganvas.functional.neighbours._CPU_PAIRS", 300)  # several chunks
    generated = normal(2, 40, 3, scale=0.7, shift=20.2)
    made = metrics(Memorization(0.2), real=side(REAL), generated=side(generated), train=side(TRAIN))
    held_out, ours = nearest(REAL), nearest(generated)
    assert made == pytest.approx(
        {
            "memorization_median": np.median(ours) / np.median(held_out),
            "memorization_mean": ours.mean() / held_out.mean(),
            "memorization_share": (ours < np.quantile(held_out, 0.2)).mean(),
        },
        rel=1e-7,
    )
    assert 0 < made["memorization_share"] < 1
    assert abs(made["memorization_median"] - made["memorization_mean"]) > 0.01


def test_copies_are_at_no_distance() -> None:
    made = metrics(Memorization(), real=side(REAL), generated=side(TRAIN[5:45]), train=side(TRAIN))
    assert made["memorization_median"] < 1e-6
    assert made["memorization_mean"] < 1e-6
    assert made["memorization_share"] == 1.0


def test_what_cannot_be_answered() -> None:
    with pytest.raises(OptionError, match="split=: must not hold training samples"):
        metrics(Memorization(), real=side(TRAIN[:40]), generated=side(REAL), train=side(TRAIN))
    with pytest.raises(OptionError, match="quantile=1"):
        Memorization(1.0)
    with pytest.raises(OptionError, match="num_samples=0: is too few train samples"):
        Memorization().check_counts({"real": 9, "generated": 9, "train": 0}, num_features=3)
