from __future__ import annotations

import pytest
import torch
from observed import metrics, normal

from ganvas.errors import OptionError
from ganvas.metric.interface import Observation
from ganvas.metric.samples.class_accuracy import ClassAccuracy


def seen(logits: torch.Tensor, label: torch.Tensor | None) -> Observation:
    return Observation(torch.arange(len(logits)), torch.zeros(len(logits), 2), logits, label)


def test_the_share_of_right_ones() -> None:
    logits, label = normal(0, 50, 4), torch.arange(50) % 4
    expected = sum(int(row.argmax()) == int(one) for row, one in zip(logits, label, strict=True)) / 50
    assert metrics(ClassAccuracy(), generated=seen(logits, label)) == {
        "class_accuracy": pytest.approx(expected)
    }
    sure = torch.eye(4)[label]
    assert metrics(ClassAccuracy(), generated=seen(sure, label)) == {"class_accuracy": 1.0}
    assert metrics(ClassAccuracy(), generated=seen(sure, (label + 1) % 4)) == {"class_accuracy": 0.0}


def test_what_is_not_finite_is_not_right() -> None:
    logits = torch.eye(4)
    logits[2, 0] = torch.nan
    made = metrics(ClassAccuracy(), generated=seen(logits, torch.arange(4)))
    assert made == {"class_accuracy": 0.75}


def test_without_labels_it_is_refused() -> None:
    with pytest.raises(OptionError, match="conditional=true"):
        metrics(ClassAccuracy(), generated=seen(torch.eye(4), None))
