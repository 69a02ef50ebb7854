from __future__ import annotations

import pytest
import torch
from torch import nn

from ganvas.model.layers.biggan import orthogonal, orthogonal_wrapper


@pytest.mark.parametrize(
    "layer", [nn.Conv2d(3, 8, 3), nn.Linear(10, 8), nn.Linear(8, 10), nn.Embedding(4, 9)]
)
def test_rows_or_columns_begin_orthonormal(layer: nn.Module) -> None:
    torch.manual_seed(0)
    assert orthogonal(layer) is layer
    weight = layer.weight.detach().flatten(1)
    rows = weight if weight.shape[0] <= weight.shape[1] else weight.T
    torch.testing.assert_close(rows @ rows.T, torch.eye(len(rows)), rtol=0, atol=1e-5)
    assert not getattr(layer, "bias", torch.zeros(1)).any()


def test_the_weights_that_are_divided_are_the_orthogonal_ones() -> None:
    torch.manual_seed(0)
    divided = orthogonal_wrapper(spectral=True)(nn.Linear(6, 4))
    # all singular values are 1, so that the first estimate of the largest one is right
    torch.testing.assert_close(divided.weight @ divided.weight.T, torch.eye(4), rtol=0, atol=1e-5)
    nn.init.ones_(divided.parametrizations.weight.original)
    for _ in range(3):
        divided(torch.randn(2, 6))
    assert torch.linalg.matrix_norm(divided.weight, ord=2).item() == pytest.approx(1, abs=1e-4)
    free = orthogonal_wrapper(spectral=False)(nn.Linear(6, 4))
    nn.init.ones_(free.weight)
    assert torch.linalg.matrix_norm(free.weight, ord=2).item() == pytest.approx(24**0.5)
