from __future__ import annotations

import torch
from torch import nn

from ganvas.model.layers.conditional_batch_norm import ConditionalBatchNorm2d, ModulatedBatchNorm2d


def test_at_the_start_it_is_batch_norm() -> None:
    x, label = 2 * torch.randn(6, 3, 4, 4) + 1, torch.tensor([0, 1, 2, 3, 1, 0])
    layer, plain = ConditionalBatchNorm2d(3, num_classes=4), nn.BatchNorm2d(3)
    torch.testing.assert_close(layer(x, label), plain(x))
    torch.testing.assert_close(layer.norm.running_mean, plain.running_mean)
    torch.testing.assert_close(layer.eval()(x, label), plain.eval()(x))


def test_each_sample_has_the_scale_and_offset_of_its_class() -> None:
    torch.manual_seed(0)
    layer, x = ConditionalBatchNorm2d(3, num_classes=4), torch.randn(5, 3, 2, 2)
    nn.init.normal_(layer.classes.weight)
    label = torch.tensor([3, 0, 0, 2, 1])
    normal = nn.BatchNorm2d(3, affine=False)(x)
    for i, number in enumerate(label):
        scale, offset = layer.classes.weight[number].split(3)
        expected = scale[:, None, None] * normal[i] + offset[:, None, None]
        torch.testing.assert_close(layer(x, label)[i], expected)


def test_without_classes_it_is_batch_norm_with_weights() -> None:
    layer = ConditionalBatchNorm2d(3)
    assert sorted(name for name, _ in layer.named_parameters()) == ["norm.bias", "norm.weight"]


def test_modulated_by_zero_weights_it_is_plain_batch_norm() -> None:
    torch.manual_seed(0)
    layer, plain = ModulatedBatchNorm2d(3, 5), nn.BatchNorm2d(3, eps=1e-4)
    for weight in layer.parameters():
        nn.init.zeros_(weight)
    x, y = 0.01 * torch.randn(6, 3, 4, 4) + 1, torch.randn(6, 5)  # so small that eps shows
    expected = plain(x)
    torch.testing.assert_close(layer(x, y), expected, rtol=0, atol=1e-6)
    assert not torch.allclose(expected, nn.BatchNorm2d(3)(x), rtol=0, atol=1e-2)
    torch.testing.assert_close(layer.norm.running_mean, plain.running_mean)
    torch.testing.assert_close(layer.eval()(x, y), plain.eval()(x), rtol=0, atol=1e-6)


def test_modulated_by_a_vector_of_each_sample() -> None:
    torch.manual_seed(0)
    layer, x, y = ModulatedBatchNorm2d(3, 5), torch.randn(4, 3, 2, 6), torch.randn(4, 5)
    gain, offset = layer.parameters()
    assert gain.shape == offset.shape == (3, 5)
    normal = nn.BatchNorm2d(3, eps=1e-4, affine=False)(x)
    made = layer(x, y)
    for i in range(4):
        expected = normal[i] * (1 + gain @ y[i])[:, None, None] + (offset @ y[i])[:, None, None]
        torch.testing.assert_close(made[i], expected)
