from __future__ import annotations

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.head.plain import PlainHead
from ganvas.model.head.projection import ProjectionHead


def test_two_classes_differ_by_the_projection_on_their_vectors() -> None:
    torch.manual_seed(0)
    head, features = ProjectionHead(4, num_classes=3), torch.randn(5, 4)
    assert head.embedding is not None
    a, b = torch.full((5,), 2), torch.full((5,), 0)
    difference = head.embedding.weight[2] - head.embedding.weight[0]
    torch.testing.assert_close(head(features, a) - head(features, b), features @ difference)
    mixed = head(features, torch.tensor([2, 0, 2, 0, 0]))
    torch.testing.assert_close(mixed[[0, 2]], head(features, a)[[0, 2]])
    torch.testing.assert_close(mixed[[1, 3, 4]], head(features, b)[[1, 3, 4]])


def test_without_classes_it_is_plain() -> None:
    torch.manual_seed(0)
    head = ProjectionHead(4, init_std=0.1)
    torch.manual_seed(0)
    plain, features = PlainHead(4, init_std=0.1), torch.randn(5, 4)
    torch.testing.assert_close(head(features), plain(features))
    assert [name for name, _ in head.named_parameters()] == ["linear.weight", "linear.bias"]


def test_a_class_must_be_said() -> None:
    with pytest.raises(ValueError, match="label=None"):
        ProjectionHead(4, num_classes=3)(torch.randn(5, 4))


@pytest.mark.parametrize(("option", "value"), [("feature_dim", 0), ("num_classes", 1), ("init_std", -1.0)])
def test_options_are_checked(option: str, value: object) -> None:
    with pytest.raises(OptionError) as error:
        ProjectionHead(**({"feature_dim": 4} | {option: value}))
    assert error.value.option == option
