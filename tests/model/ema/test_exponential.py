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
    for seen in range(batch, 101, batch):
        average.update(network, examples=batch, seen=seen)
    expected = 1 - 0.5 ** (100 / 70)
    for parameter in average.average.parameters():
        torch.testing.assert_close(parameter, torch.full_like(parameter, expected))


def test_one_step_moves_from_the_average_toward_the_network() -> None:
    network = nn.Linear(1, 1, bias=False)
    _constant(network, 2.0)
    average = ExponentialAverage(half_life=10.0)
    average.track(network)
    _constant(network, -6.0)
    average.update(network, examples=20, seen=20)  # a quarter of the old weight stays
    assert average.average.weight.item() == pytest.approx(0.25 * 2 - 0.75 * 6)
    assert network.weight.item() == -6


@pytest.mark.parametrize("ramp", [0.05, 0.7, None])
def test_the_ramp_limits_the_half_life_to_a_share_of_the_examples_seen(ramp: float | None) -> None:
    """In float64: at step i the weights are i, and the half-life is min(120, ramp * examples seen)."""
    network = nn.Linear(3, 2)
    _constant(network, -5.0)
    average = ExponentialAverage(half_life=120.0, ramp=ramp)
    average.track(network)
    expected = -5.0
    for step in range(1, 31):
        _constant(network, float(step))
        average.update(network, examples=8, seen=8 * step)
        half_life = 120.0 if ramp is None else min(120.0, ramp * 8 * step)
        decay = 2.0 ** (-8 / half_life)
        expected = decay * expected + (1 - decay) * step
    for parameter in average.average.parameters():
        torch.testing.assert_close(parameter, torch.full_like(parameter, expected), rtol=1e-5, atol=1e-5)


def test_a_short_run_is_not_averaged_with_its_start() -> None:
    """What is left of the first weights after 6,000 examples, batches of 64, by the options' defaults."""
    from ganvas.cli.compose.experiment import compose

    options = compose([]).config["model"]["ema"]
    network = nn.Linear(1, 1)
    _constant(network, 1.0)
    average = ExponentialAverage(half_life=options["half_life"], ramp=options["ramp"])
    average.track(network)
    _constant(network, 0.0)
    for seen in range(64, 6001, 64):
        average.update(network, examples=64, seen=seen)
    assert 0 <= average.average.weight.item() < 1e-6  # without the ramp 0.66


def test_a_number_on_the_device_counts_like_one_on_the_host() -> None:
    networks = [nn.Linear(2, 2) for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    averages = [ExponentialAverage(half_life=100.0, ramp=0.5) for _ in networks]
    for average, network in zip(averages, networks, strict=True):
        average.track(network)
        _constant(network, 3.0)
    averages[0].update(networks[0], examples=10, seen=40)
    averages[1].update(networks[1], examples=torch.tensor(True) * 10, seen=40)
    torch.testing.assert_close(averages[0].average.weight, averages[1].average.weight)
    before = averages[1].average.weight.clone()
    averages[1].update(networks[1], examples=torch.tensor(False) * 10, seen=50)  # a step that was left out
    assert torch.equal(averages[1].average.weight, before)


def test_buffers_are_copied() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    average = ExponentialAverage(half_life=1e6)
    average.track(network)
    network(torch.randn(4, 1, 5, 5) + 3)
    average.update(network, examples=1, seen=1)
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


@pytest.mark.parametrize("option", ["half_life", "ramp"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan])
def test_both_options_are_checked(option: str, value: float) -> None:
    with pytest.raises(OptionError) as error:
        ExponentialAverage(**{option: value})
    assert error.value.option == option
