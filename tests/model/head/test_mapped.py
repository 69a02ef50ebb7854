from __future__ import annotations

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.head.mapped import MappedHead


def test_closed_forms() -> None:
    torch.manual_seed(0)
    features, label = torch.randn(5, 4), torch.tensor([0, 2, 1, 1, 2])
    head = MappedHead(4)
    with torch.no_grad():
        head.linear.bias += 3
    torch.testing.assert_close(head(features), features @ head.linear.weight[0] / 2 + 3)
    head = MappedHead(4, num_classes=3, mapping_layers=2)
    with torch.no_grad():
        head.linear.bias += torch.arange(4.0)
    seen = features @ head.linear.weight.T / 2 + torch.arange(4.0)
    vectors = head.mapping(None, torch.arange(3))
    expected = torch.stack([row @ vectors[one] / 2 for row, one in zip(seen, label, strict=True)])
    torch.testing.assert_close(head(features, label), expected)


def test_numbers_of_parameters() -> None:
    """F + 1 without classes; with them F (F + 1), a layer of K classes, and the mapping's."""
    assert sum(p.numel() for p in MappedHead(16).parameters()) == 17
    head = MappedHead(16, num_classes=3)
    assert sum(p.numel() for p in head.parameters()) == 16 * 17 + (3 + 1) * 16 + 8 * 16 * 17


@pytest.mark.parametrize(
    ("option", "value"), [("feature_dim", 0), ("num_classes", 1), ("mapping_layers", 0), ("rate", 0.0)]
)
def test_options_are_checked(option: str, value: object) -> None:
    with pytest.raises(OptionError) as error:
        MappedHead(**({"feature_dim": 4, "num_classes": 3} | {option: value}))
    assert error.value.option == option
