from __future__ import annotations

import pytest
import torch

from ganvas.data.digits import Digits
from ganvas.errors import OptionError
from ganvas.functional.images import to_float
from ganvas.metric.floor import TrainingSamples


def test_each_training_sample_comes_once_with_its_label() -> None:
    data = Digits()
    train = data.split("train")
    floor = TrainingSamples(data, len(train))
    x = torch.cat([floor.sample(700, 5), floor.sample(737, 5, start=700)])
    labels = floor.sample_labels(1437, 5)
    assert labels is not None
    assert train.label is not None
    assert sorted(map(tuple, x.flatten(1).tolist())) == sorted(
        map(tuple, to_float(train.x).flatten(1).tolist())
    )
    rows = {
        tuple(row): label for row, label in zip(to_float(train.x).flatten(1).tolist(), train.label.tolist())
    }
    assert [rows[tuple(row)] for row in x.flatten(1).tolist()] == labels.tolist()
    assert not torch.equal(x, to_float(train.x))
    assert not torch.equal(floor.sample(700, 6), x[:700])


def test_more_than_there_are() -> None:
    with pytest.raises(OptionError, match="num_samples=1438: is more than the 1437 training samples"):
        TrainingSamples(Digits(), 1438)
