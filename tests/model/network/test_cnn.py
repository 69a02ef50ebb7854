from __future__ import annotations

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.network.cnn import CNN


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 13), (2, 28, 28), (1, 64, 64)])
def test_any_image_from_8_pixels_on(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    network = CNN(channels=shape[0], num_classes=7, base_channels=4, feature_dim=11).eval()
    seen = network(torch.rand(5, *shape) * 2 - 1)
    assert seen.features.shape == (5, 11)
    assert seen.features.min() >= 0
    torch.testing.assert_close(seen.logits, seen.features @ network.head.weight.T + network.head.bias)
    assert seen.logits.shape == (5, 7)


def test_the_layers_are_those_of_the_docstring() -> None:
    network = CNN(channels=3, num_classes=10, base_channels=4, blocks=2, feature_dim=6).eval()
    x = torch.rand(2, 3, 12, 12) * 2 - 1
    expected = x
    for number in (0, 4):
        convolution, norm = network.trunk[number], network.trunk[number + 1]
        expected = norm(torch.nn.functional.conv2d(expected, convolution.weight, padding=1)).clamp(min=0)
        expected = torch.nn.functional.max_pool2d(expected, 2)  # 12 to 6 to 3
    linear = network.trunk[-2]
    expected = (expected.flatten(1) @ linear.weight.T + linear.bias).clamp(min=0)
    torch.testing.assert_close(network(x).features, expected)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"channels": None}, "channels=null: a classifier takes images"),
        ({"channels": 0}, "channels=0"),
        ({"num_classes": None}, "num_classes=null: a classifier needs labels"),
        ({"num_classes": 1}, "num_classes=1: must be at least 2"),
        ({"base_channels": 0}, "base_channels=0"),
        ({"blocks": 0}, "blocks=0"),
        ({"feature_dim": 0}, "feature_dim=0"),
    ],
)
def test_arguments_out_of_range(options: dict[str, int | None], line: str) -> None:
    with pytest.raises(OptionError, match=f"^{line}"):
        CNN(**({"channels": 1, "num_classes": 10} | options))  # type: ignore[arg-type]


def test_an_image_too_small_is_refused() -> None:
    with pytest.raises(OptionError, match="image_size=7"):
        CNN(channels=1, num_classes=10)(torch.zeros(2, 1, 9, 7))
