from __future__ import annotations

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.discriminator.mlp import MLPDiscriminator


def test_the_articles_number_of_parameters() -> None:
    discriminator = MLPDiscriminator(sample_shape=[1, 28, 28])
    assert sum(parameter.numel() for parameter in discriminator.parameters()) == 100_609


@pytest.mark.parametrize("sample_shape", [[2], [3, 4, 5]])
def test_it_is_its_formula(sample_shape: list[int]) -> None:
    torch.manual_seed(0)
    discriminator = MLPDiscriminator(sample_shape, hidden_dim=5)
    x = torch.randn(6, *sample_shape)
    w1, b1, w2, b2 = discriminator.parameters()
    expected = (torch.relu(x.flatten(1) @ w1.T + b1) @ w2.T + b2)[:, 0]
    torch.testing.assert_close(discriminator(x), expected)
    assert torch.equal(discriminator(x, torch.zeros(6, dtype=torch.int64)), discriminator(x))
    assert discriminator(x[:1]).shape == (1,)


@pytest.mark.parametrize(("option", "value"), [("hidden_dim", 0), ("sample_shape", [0])])
def test_sizes_are_checked(option: str, value: object) -> None:
    with pytest.raises(OptionError) as error:
        MLPDiscriminator(**({"sample_shape": [2], "hidden_dim": 3} | {option: value}))
    assert error.value.option == option
