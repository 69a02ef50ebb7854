from __future__ import annotations

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.encoder.mlp import MLPEncoder


def test_it_is_its_formula() -> None:
    torch.manual_seed(0)
    encoder = MLPEncoder([2, 3, 4], embedding_dim=5, num_vectors=7, hidden_dim=6)
    x = torch.randn(8, 2, 3, 4)
    w1, b1, w2, b2 = encoder.parameters()
    expected = (torch.relu(x.flatten(1) @ w1.T + b1) @ w2.T + b2).reshape(8, 5, 7)
    torch.testing.assert_close(encoder(x), expected)


def test_the_articles_sizes() -> None:
    encoder = MLPEncoder([1, 28, 28], embedding_dim=64, num_vectors=1)
    assert [tuple(p.shape) for p in encoder.parameters()] == [(128, 784), (128,), (64, 128), (64,)]


@pytest.mark.parametrize("option", ["embedding_dim", "num_vectors", "hidden_dim", "sample_shape"])
def test_sizes_are_checked(option: str) -> None:
    options = {"sample_shape": [2], "embedding_dim": 2, "num_vectors": 2, "hidden_dim": 2}
    with pytest.raises(OptionError) as error:
        MLPEncoder(**(options | {option: [0] if option == "sample_shape" else 0}))
    assert error.value.option == option
