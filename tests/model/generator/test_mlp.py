from __future__ import annotations

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.generator.mlp import MLPGenerator


def test_the_articles_number_of_parameters() -> None:
    generator = MLPGenerator(latent_dim=100, sample_shape=[1, 28, 28])
    assert sum(parameter.numel() for parameter in generator.parameters()) == 114_064


@pytest.mark.parametrize("sample_shape", [[2], [3, 4, 5]])
def test_it_is_its_formula(sample_shape: list[int]) -> None:
    torch.manual_seed(0)
    generator = MLPGenerator(latent_dim=7, sample_shape=sample_shape, hidden_dim=5)
    z = torch.randn(6, 7)
    w1, b1, w2, b2 = generator.parameters()
    expected = torch.tanh(torch.relu(z @ w1.T + b1) @ w2.T + b2).reshape(6, *sample_shape)
    torch.testing.assert_close(generator(z), expected)
    assert torch.equal(generator(z, torch.zeros(6, dtype=torch.int64)), generator(z))
    assert generator.latent_dim == 7


def test_several_hidden_layers_are_their_formula() -> None:
    torch.manual_seed(0)
    generator = MLPGenerator(latent_dim=7, sample_shape=[2], hidden_dim=5, hidden_layers=2)
    z = torch.randn(6, 7)
    w1, b1, w2, b2, w3, b3 = generator.parameters()
    expected = torch.tanh(torch.relu(torch.relu(z @ w1.T + b1) @ w2.T + b2) @ w3.T + b3)
    torch.testing.assert_close(generator(z), expected)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("latent_dim", 0),
        ("hidden_dim", -1),
        ("hidden_layers", 0),
        ("sample_shape", [1, 0, 28]),
        ("sample_shape", []),
    ],
)
def test_sizes_are_checked(option: str, value: object) -> None:
    options = {"latent_dim": 4, "sample_shape": [2], "hidden_dim": 3} | {option: value}
    with pytest.raises(OptionError) as error:
        MLPGenerator(**options)
    assert (error.value.option, error.value.value) == (option, value)
