from __future__ import annotations

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.decoder.mlp import MLPDecoder


def test_it_is_its_formula() -> None:
    torch.manual_seed(0)
    decoder = MLPDecoder([2, 3, 4], embedding_dim=5, num_vectors=7, hidden_dim=6)
    z = torch.randn(8, 5, 7)
    w1, b1, w2, b2 = decoder.parameters()
    expected = torch.tanh(torch.relu(z.flatten(1) @ w1.T + b1) @ w2.T + b2).reshape(8, 2, 3, 4)
    torch.testing.assert_close(decoder(z), expected)


def test_the_articles_sizes() -> None:
    decoder = MLPDecoder([1, 28, 28], embedding_dim=64, num_vectors=1)
    assert [tuple(p.shape) for p in decoder.parameters()] == [(128, 64), (128,), (784, 128), (784,)]


@pytest.mark.parametrize("option", ["embedding_dim", "num_vectors", "hidden_dim", "sample_shape"])
def test_sizes_are_checked(option: str) -> None:
    options = {"sample_shape": [2], "embedding_dim": 2, "num_vectors": 2, "hidden_dim": 2}
    with pytest.raises(OptionError) as error:
        MLPDecoder(**(options | {option: [0] if option == "sample_shape" else 0}))
    assert error.value.option == option
