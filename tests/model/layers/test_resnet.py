from __future__ import annotations

import math

import pytest
import torch

from ganvas.model.layers.resnet import conv1x1, conv3x3, halved, linear


@pytest.mark.parametrize(
    ("layer", "bound"),
    [
        (conv3x3(40, 60), math.sqrt(2) * math.sqrt(6 / (9 * 100))),
        (conv3x3(40, 60, gain=1.0), math.sqrt(6 / (9 * 100))),
        (conv1x1(40, 60), math.sqrt(6 / 100)),
        (linear(40, 60), math.sqrt(6 / 100)),
    ],
)
def test_weights_begin_by_glorots_law(layer: torch.nn.Module, bound: float) -> None:
    largest = layer.weight.abs().max().item()
    assert 0.97 * bound < largest <= bound
    assert not layer.bias.any()


def test_halving_takes_means() -> None:
    x = torch.arange(16.0).view(1, 1, 4, 4)
    assert halved(x).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
