from __future__ import annotations

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.head.plain import PlainHead


def test_it_is_its_formula() -> None:
    torch.manual_seed(0)
    head, features = PlainHead(4), torch.randn(5, 4)
    weight, bias = head.parameters()
    torch.testing.assert_close(head(features), features @ weight[0] + bias)


def test_the_initial_weights() -> None:
    torch.manual_seed(0)
    head = PlainHead(4000, init_std=0.02)
    assert head.linear.weight.std().item() == pytest.approx(0.02, rel=0.1)
    assert not head.linear.bias.any()


@pytest.mark.parametrize(("option", "value"), [("feature_dim", 0), ("num_classes", 1), ("init_std", 0.0)])
def test_options_are_checked(option: str, value: object) -> None:
    with pytest.raises(OptionError) as error:
        PlainHead(**({"feature_dim": 4} | {option: value}))
    assert error.value.option == option
