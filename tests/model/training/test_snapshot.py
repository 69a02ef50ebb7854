from __future__ import annotations

import torch
from torch import nn

from ganvas.model.training.snapshot import running_statistics


def test_running_statistics_are_no_counters_and_no_constants() -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    network.register_buffer("constant", torch.ones(2), persistent=False)
    network.register_buffer("mean", torch.zeros(4))
    found = list(running_statistics(network))
    expected = [network.mean, network[1].running_mean, network[1].running_var]
    assert len(found) == 3
    assert all(one is other for one, other in zip(found, expected, strict=True))
