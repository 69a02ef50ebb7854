from __future__ import annotations

import torch
from torch import nn

from ganvas.model.layers.conditional_batch_norm import ConditionalBatchNorm2d


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
