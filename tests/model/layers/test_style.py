from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d

from ganvas.errors import OptionError
from ganvas.model.layers.style import (
    EqualizedConv2d,
    EqualizedLinear,
    Mapping,
    ModulatedConv2d,
    activate,
    channels_at,
    normalized,
    sides_of,
)


def test_rows_have_a_root_mean_square_of_1() -> None:
    torch.manual_seed(0)
    x = torch.randn(5, 7) * torch.tensor([1e-1, 1, 3, 1e3, 1e6])[:, None]
    torch.testing.assert_close(normalized(x).square().mean(1), torch.ones(5), rtol=1e-5, atol=0)
    torch.testing.assert_close(normalized(x)[2] * x[2].square().mean().sqrt(), x[2])
    assert normalized(torch.zeros(1, 3)).tolist() == [[0, 0, 0]]
    assert normalized(x.half()[:3]).dtype == torch.float16


def test_an_equalized_layer_is_its_formula() -> None:
    torch.manual_seed(0)
    layer, x = EqualizedLinear(400, 300, bias=1.0, rate=0.01), torch.randn(2, 400)
    assert layer.weight.std().item() == pytest.approx(100, rel=0.01)
    torch.testing.assert_close(layer(x), x @ layer.weight.T * 0.01 / 20 + 1, rtol=1e-4, atol=1e-4)
    with torch.no_grad():
        layer.bias += 5
    torch.testing.assert_close(layer(x), x @ layer.weight.T * 0.01 / 20 + 1.05, rtol=1e-4, atol=1e-4)


LINE = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
KERNEL = torch.outer(LINE, LINE)


def blurred(x: Tensor, padding: int) -> Tensor:
    made = conv2d(x.flatten(0, 1)[:, None], KERNEL[None, None], padding=padding)
    return made[:, 0].unflatten(0, x.shape[:2])


def test_an_equalized_convolution_is_its_formula() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 8, 8)
    layer = EqualizedConv2d(3, 5, 3)
    with torch.no_grad():
        layer.bias += torch.arange(5.0)
    torch.testing.assert_close(layer(x), conv2d(x, layer.weight / math.sqrt(27), layer.bias, padding=1))
    layer = EqualizedConv2d(3, 5, 3, halves=True)
    torch.testing.assert_close(layer(x), conv2d(blurred(x, 2), layer.weight / math.sqrt(27), stride=2))
    assert layer(x).shape == (2, 5, 4, 4)
    layer = EqualizedConv2d(3, 5, 1, halves=True, bias=False)
    expected = conv2d(blurred(x, 1), layer.weight / math.sqrt(3))[..., ::2, ::2]
    torch.testing.assert_close(layer(x), expected)
    assert layer.bias is None


@pytest.mark.parametrize("doubles", [False, True])
def test_a_modulated_convolution_is_the_fused_one(doubles: bool) -> None:
    """One whose weights are made for each sample (equations 1 and 3)."""
    torch.manual_seed(0)
    layer = ModulatedConv2d(4, 6, 3, 5, doubles=doubles).double()
    x, w = torch.randn(3, 4, 8, 8, dtype=torch.float64), torch.randn(3, 5, dtype=torch.float64)
    made = layer(x, w)
    assert made.shape == ((3, 6, 16, 16) if doubles else (3, 6, 8, 8))
    scale = w @ layer.style.weight.T / math.sqrt(5) + 1
    for number in range(3):
        weight = layer.weight / 6 * scale[number][None, :, None, None]
        weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        one = x[number : number + 1]
        if doubles:
            line = LINE.double()
            fir = torch.outer(line, line)[None, None] * 4
            raw = conv_transpose2d(one, weight.transpose(0, 1), stride=2)
            expected = conv2d(raw.transpose(0, 1), fir, padding=1).transpose(0, 1)
        else:
            expected = conv2d(one, weight, padding=1)
        torch.testing.assert_close(made[number : number + 1], expected)


def test_demodulation_keeps_unit_variance_and_divides_a_factor_out() -> None:
    torch.manual_seed(0)
    layer, x = ModulatedConv2d(64, 32, 3, 8), torch.randn(8, 64, 16, 16)
    scale = torch.randn(8, 64) * 3 + 1
    made = layer.convolved(x, scale)
    inside = made[..., 1:-1, 1:-1]  # zeros beyond the border take variance
    assert inside.var().item() == pytest.approx(1, rel=0.02)
    torch.testing.assert_close(layer.convolved(x, 7.5 * scale), made, rtol=1e-4, atol=1e-4)
    plain = ModulatedConv2d(64, 3, 1, 8, demodulates=False)
    torch.testing.assert_close(
        plain.convolved(x, 7.5 * scale), 7.5 * plain.convolved(x, scale), rtol=1e-4, atol=1e-4
    )
    torch.testing.assert_close(
        plain.convolved(x, scale), conv2d(x * scale[:, :, None, None], plain.weight / 8), rtol=1e-4, atol=1e-4
    )


def test_under_autocast_sums_of_squares_are_float32() -> None:
    """In bfloat16 a channel's norm has an error of up to 0.4 %, which every later layer multiplies."""
    torch.manual_seed(0)
    layer, scale = ModulatedConv2d(8, 2000, 3, 4), torch.randn(1, 8)
    x = torch.ones(1, 8, 3, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        made = layer.convolved(x, scale)
    assert made.dtype == torch.bfloat16
    exact = layer.double().convolved(x.double(), scale.double())
    ratio = (made.double() / exact)[exact.abs() > 0.3]
    assert ratio.std().item() < 0.02
    with torch.autocast("cpu", dtype=torch.bfloat16):
        w = Mapping(6, None, 4, 2)(torch.randn(3, 6))
    assert w.dtype == torch.float32


def test_a_mapping_network() -> None:
    torch.manual_seed(0)
    mapping = Mapping(6, 3, 4, 2)
    z, label = torch.randn(5, 6), torch.tensor([0, 2, 1, 1, 0])
    w = mapping(z, label)
    x = torch.cat([normalized(z), normalized(mapping.classes(torch.eye(3)[label]))], dim=1)
    for layer in mapping.layers:
        x = activate(layer(x))
    torch.testing.assert_close(w, x)
    torch.testing.assert_close(
        mapping(3 * z, label), w, rtol=1e-4, atol=1e-5, msg="a latent's length is lost"
    )
    assert not torch.allclose(mapping(z, (label + 1) % 3), w)
    assert mapping.layers[0].weight.std().item() == pytest.approx(100, rel=0.3)
    with pytest.raises(ValueError, match="label=None"):
        mapping(z)
    alone = Mapping(0, 3, 4, 1)
    torch.testing.assert_close(alone(None, label)[0], alone(None, label)[4])


def test_activation_keeps_the_mean_square() -> None:
    torch.manual_seed(0)
    x = torch.randn(100_000)
    assert activate(x).square().mean().item() == pytest.approx(1.04, rel=0.02)
    assert activate(torch.tensor([-1.0, 2.0])).tolist() == pytest.approx([-0.2 * 2**0.5, 2 * 2**0.5])


@pytest.mark.parametrize(
    ("size", "sides"),
    [(8, [4, 8]), (32, [4, 8, 16, 32]), (28, [7, 14, 28]), (48, [6, 12, 24, 48]), (10, [5, 10])],
)
def test_sides(size: int, sides: list[int]) -> None:
    assert sides_of(size) == sides


@pytest.mark.parametrize("size", [None, 0, 4, 7, 9, 30, 33, 44, -8])
def test_sizes_that_no_doublings_reach(size: int | None) -> None:
    with pytest.raises(OptionError, match="times a power of two") as error:
        sides_of(size)
    assert error.value.option == "image_size"


def test_channels() -> None:
    assert channels_at([4, 8, 16, 32, 64], 1024, 100) == [100, 100, 64, 32, 16]
    for base, most, option in ((31, 8, "channel_base"), (64, 0, "channel_max")):
        with pytest.raises(OptionError) as error:
            channels_at([4, 8, 16, 32], base, most)
        assert error.value.option == option
