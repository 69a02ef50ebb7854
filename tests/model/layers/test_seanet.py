from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from ganvas.errors import OptionError
from ganvas.model.layers.seanet import (
    ResidualUnit,
    SoundGrid,
    convolution,
    downsampling,
    upsampling,
)


@pytest.mark.parametrize("stride", [2, 3, 4, 5, 8])
def test_strides_divide_and_multiply_lengths(stride: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 7 * stride)
    down, up = downsampling(3, 4, stride), upsampling(4, 3, stride)
    assert down(x).shape == (2, 4, 7)
    assert up(down(x)).shape == x.shape


@pytest.mark.parametrize("stride", [2, 5])
def test_a_step_sees_samples_around_its_own(stride: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 1, 6 * stride, requires_grad=True)
    (gradient,) = torch.autograd.grad(downsampling(1, 1, stride)(x)[0, 0, 3], x)
    seen = gradient[0, 0].nonzero()[:, 0]
    first = 3 * stride - (stride + 1) // 2
    assert seen.tolist() == list(range(first, first + 2 * stride))


@pytest.mark.parametrize("dilation", [1, 3])
def test_a_residual_unit_adds_to_what_it_gets(dilation: int) -> None:
    torch.manual_seed(0)
    unit, x = ResidualUnit(6, dilation), torch.randn(2, 6, 11)
    first, last = (one for one in unit.branch if isinstance(one, nn.Conv1d))
    assert (first.out_channels, first.dilation, last.kernel_size) == (3, (dilation,), (1,))
    elu = nn.functional.elu
    torch.testing.assert_close(unit(x), x + last(elu(first(elu(x)))))


def test_weights_are_normalized_by_output_channel() -> None:
    torch.manual_seed(0)
    for layer, axes, shape in (
        (convolution(3, 5, 7), (1, 2), (5, 1, 1)),
        (upsampling(3, 5, 2), (0, 2), (1, 5, 1)),
    ):
        held = dict(layer.named_parameters())
        g, v = held["parametrizations.weight.original0"], held["parametrizations.weight.original1"]
        assert g.shape == shape
        with torch.no_grad():
            g.mul_(3), v.mul_(0.1)
        torch.testing.assert_close(layer.weight, g * v / v.norm(dim=axes, keepdim=True))


def test_values_stay_as_large_through_many_layers() -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 32, 256)
    layers = [layer for _ in range(6) for layer in (nn.ELU(), convolution(32, 32, 3))]
    assert nn.Sequential(*layers)(x).square().mean().sqrt().item() == pytest.approx(1, abs=0.3)
    stretched = nn.Sequential(nn.ELU(), downsampling(32, 32, 4), nn.ELU(), upsampling(32, 32, 4))
    assert stretched(x).square().mean().sqrt().item() == pytest.approx(1, abs=0.3)


def test_a_normalized_layer_is_copied_saved_and_exported(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layer, x = nn.Sequential(convolution(2, 3, 7), upsampling(3, 1, 2)), torch.randn(2, 2, 8)
    twin = copy.deepcopy(layer)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.1)
    assert not torch.equal(twin(x), layer(x))
    torch.save(layer.state_dict(), tmp_path / "state")
    twin.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    assert torch.equal(twin(x), layer(x))
    program = torch.export.export(layer.eval(), (x,))
    torch.testing.assert_close(program.module()(x), layer(x))


def test_a_grid_of_sounds() -> None:
    grid = SoundGrid([2, 8000], [2, 4, 5, 8])
    assert (grid.channels, grid.length, grid.hop, grid.frames) == (2, 8000, 320, 25)
    assert SoundGrid([1, 8001], [2, 4, 5, 8]).frames == 26
    for shape in ([1, 28, 28], [2], [1, 0]):
        with pytest.raises(OptionError) as error:
            SoundGrid(shape, [2])
        assert error.value.option == "sample_shape"
    for strides in ([], [4, 1]):
        with pytest.raises(OptionError) as error:
            SoundGrid([1, 100], strides)
        assert error.value.option == "strides"
