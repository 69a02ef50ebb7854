from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from ganvas.errors import OptionError
from ganvas.model.ema.exponential import ExponentialAverage


def _constant(network: nn.Module, value: float) -> None:
    for parameter in network.parameters():
        nn.init.constant_(parameter, value)


@pytest.mark.parametrize("batch", [1, 25, 100])
def test_half_life_is_in_examples_whatever_the_batch(batch: int) -> None:
    network = nn.Linear(3, 2)
    _constant(network, 0.0)
    average = ExponentialAverage(half_life=70.0)
    average.track(network)
    _constant(network, 1.0)
    for _ in range(100 // batch):
        average.update(network, examples=batch)
    expected = 1 - 0.5 ** (100 / 70)
    for parameter in average.average.parameters():
        torch.testing.assert_close(parameter, torch.full_like(parameter, expected))


def test_one_step_moves_from_the_average_toward_the_network() -> None:
    network = nn.Linear(1, 1, bias=False)
    _constant(network, 2.0)
    average = ExponentialAverage(half_life=10.0)
    average.track(network)
    _constant(network, -6.0)
    average.update(network, examples=20)  # a quarter of the old weight stays
    assert average.average.weight.item() == pytest.approx(0.25 * 2 - 0.75 * 6)
    assert network.weight.item() == -6


def test_buffers_are_copied() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    average = ExponentialAverage(half_life=1e6)
    average.track(network)
    network(torch.randn(4, 1, 5, 5) + 3)
    average.update(network, examples=1)
    norm = average.average[1]
    assert torch.equal(norm.running_mean, network[1].running_mean)
    assert torch.equal(norm.running_var, network[1].running_var)
    assert norm.num_batches_tracked.item() == 1
    assert norm.running_mean.data_ptr() != network[1].running_mean.data_ptr()


def test_the_average_is_a_frozen_copy_in_eval_mode() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).train()
    average = ExponentialAverage(half_life=10.0)
    average.track(network)
    average.train()
    assert not any(module.training for module in average.modules())
    assert network.training
    assert not any(parameter.requires_grad for parameter in average.parameters())
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert set(average.state_dict()) == {f"average.{name}" for name in network.state_dict()}


def test_its_state_survives_a_checkpoint() -> None:
    network = nn.Linear(2, 3)
    first, second = ExponentialAverage(half_life=5.0), ExponentialAverage(half_life=5.0)
    first.track(network)
    second.track(nn.Linear(2, 3))
    second.load_state_dict(first.state_dict())
    assert torch.equal(second.average.weight, network.weight)


@pytest.mark.parametrize("half_life", [0.0, -1.0, math.nan])
def test_half_life_is_checked(half_life: float) -> None:
    with pytest.raises(OptionError) as error:
        ExponentialAverage(half_life=half_life)
    assert error.value.option == "half_life"
