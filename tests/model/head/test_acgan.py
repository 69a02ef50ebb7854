from __future__ import annotations

import math

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.head.acgan import ACGANHead


def test_closed_forms() -> None:
    torch.manual_seed(0)
    head, features = ACGANHead(4, num_classes=3, weight=0.5), torch.randn(5, 4)
    label = torch.tensor([0, 2, 1, 1, 0])
    assert head.classes is not None
    scores = features @ head.classes.weight.T + head.classes.bias
    expected = scores.logsumexp(1) - scores[range(5), label]
    torch.testing.assert_close(head.class_loss(features, label), 0.5 * expected.mean())
    torch.testing.assert_close(head(features, label), features @ head.linear.weight[0] + head.linear.bias)
    with torch.no_grad():
        head.classes.weight.zero_()
        head.classes.bias.zero_()
    assert head.class_loss(features, label).item() == pytest.approx(0.5 * math.log(3))


def test_without_classes_it_is_one_layer() -> None:
    head = ACGANHead(4)
    assert not head.classifies
    assert sum(parameter.numel() for parameter in head.parameters()) == 5


@pytest.mark.parametrize(("option", "value"), [("weight", 0.0), ("num_classes", 1), ("init_std", 0.0)])
def test_options_are_checked(option: str, value: object) -> None:
    with pytest.raises(OptionError) as error:
        ACGANHead(**({"feature_dim": 4, "num_classes": 3} | {option: value}))
    assert error.value.option == option
