from __future__ import annotations

import math

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.head.inner_product import InnerProductHead


def test_closed_forms() -> None:
    torch.manual_seed(0)
    features, label = torch.randn(5, 4), torch.tensor([0, 2, 1, 1, 2])
    head = InnerProductHead(4)
    torch.testing.assert_close(head(features), features @ head.linear.weight[0])
    head = InnerProductHead(4, num_classes=3)
    assert head.embedding is not None
    seen = features @ head.linear.weight.T
    expected = torch.stack([row @ head.embedding.weight[one] for row, one in zip(seen, label, strict=True)])
    torch.testing.assert_close(head(features, label), expected)


def test_the_initial_weights() -> None:
    torch.manual_seed(0)
    head = InnerProductHead(400, num_classes=25)
    assert head.embedding is not None
    assert head.linear.weight.std().item() == pytest.approx(1 / 20, rel=0.02)
    assert head.embedding.weight.std().item() == pytest.approx(1 / math.sqrt(400 * 25), rel=0.02)


@pytest.mark.parametrize(("option", "value"), [("feature_dim", 0), ("num_classes", 1), ("init_std", 0.0)])
def test_options_are_checked(option: str, value: object) -> None:
    with pytest.raises(OptionError) as error:
        InnerProductHead(**({"feature_dim": 4} | {option: value}))
    assert error.value.option == option
