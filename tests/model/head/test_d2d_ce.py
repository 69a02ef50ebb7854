from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from ganvas.errors import OptionError
from ganvas.model.head.d2d_ce import D2DCEHead

LABEL = torch.tensor([0, 2, 1, 1, 0, 0, 2])


def made(**options: Any) -> tuple[D2DCEHead, Tensor]:
    torch.manual_seed(0)
    head = D2DCEHead(4, num_classes=4, embedding_dim=6, **options).double()
    return head, torch.randn(len(LABEL), 4, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize(("margin", "negative"), [(0.98, None), (0.4, 0.3)])
def test_it_is_its_formula(margin: float, negative: float | None) -> None:
    head, features = made(weight=0.7, temperature=0.3, positive_margin=margin, negative_margin=negative)
    assert head.embed is not None
    assert head.classes is not None
    sample = [row / row.norm() for row in features @ head.embed.weight.T + head.embed.bias]
    proxy = [row / row.norm() for row in head.classes.weight]
    expected = torch.zeros((), dtype=torch.float64)
    other = 1 - margin if negative is None else negative
    for i, y in enumerate(LABEL.tolist()):
        own = (torch.minimum(sample[i] @ proxy[y] - margin, torch.tensor(0.0).double()) / 0.3).exp()
        every = own
        for j in range(len(LABEL)):
            if LABEL[j] != y:
                every = every + (torch.relu(sample[i] @ sample[j] - other) / 0.3).exp()
        expected = expected - 0.7 * (own / every).log() / len(LABEL)
    loss = head.class_loss(features, LABEL)
    torch.testing.assert_close(loss, expected)
    inputs = [features, *head.embed.parameters(), *head.classes.parameters()]
    for found, right in zip(
        torch.autograd.grad(loss, inputs), torch.autograd.grad(expected, inputs), strict=True
    ):
        torch.testing.assert_close(found, right)
    torch.testing.assert_close(head(features), features @ head.linear.weight[0] + head.linear.bias)


def test_closed_forms() -> None:
    head, features = made()
    eye = torch.eye(2, dtype=torch.bool)
    near, apart = torch.ones(2).double(), eye.double()
    losses = head.contrast(to_class=near, to_sample=apart, same_class=eye)
    assert losses.tolist() == pytest.approx([math.log(2)] * 2), "cosine 1, one orthogonal negative"
    assert head.contrast(to_class=near, to_sample=apart, same_class=eye | True).tolist() == [0.0, 0.0]
    # opposite to its class, beside a sample of another class: e^{-1.98/t} against e^{.98/t}, t = 1/2
    far = head.contrast(to_class=-near, to_sample=torch.ones(2, 2).double(), same_class=eye)
    assert far.tolist() == pytest.approx([math.log1p(math.exp(2 * (0.98 + 1.98)))] * 2)
    assert head.class_loss(features, torch.ones_like(LABEL)).item() == 0.0, "no negatives"


def test_large_exponents_stay_finite() -> None:
    torch.manual_seed(0)
    head = D2DCEHead(4, num_classes=4, temperature=0.001)  # e^980 is inf
    features = torch.ones(3, 4, requires_grad=True)
    loss = head.class_loss(features, torch.tensor([0, 1, 2]))
    loss.backward()
    assert loss.isfinite()
    assert loss > 100
    assert features.grad is not None
    assert features.grad.isfinite().all()


def test_alike_embeddings_have_finite_gradients() -> None:
    head, _ = made()
    for value in (1.0, 0.0):
        with torch.no_grad():
            head.embed.bias.fill_(value)
        features = torch.full((7, 4), value, dtype=torch.float64, requires_grad=True)
        loss = head.class_loss(features, LABEL)
        assert loss.isfinite()
        for gradient in torch.autograd.grad(
            loss, [features, *head.embed.parameters(), *head.classes.parameters()]
        ):
            assert gradient.isfinite().all()
            assert gradient.abs().max() < 1e8


def test_without_classes_it_is_one_layer() -> None:
    head = D2DCEHead(4)
    assert not head.classifies
    assert sum(parameter.numel() for parameter in head.parameters()) == 5


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("weight", -1.0),
        ("temperature", 0.0),
        ("positive_margin", 1.1),
        ("negative_margin", -1.1),
        ("embedding_dim", 0),
        ("num_classes", 1),
        ("init_std", 0.0),
    ],
)
def test_options_are_checked(option: str, value: object) -> None:
    with pytest.raises(OptionError) as error:
        D2DCEHead(**({"feature_dim": 4, "num_classes": 3} | {option: value}))
    assert error.value.option == option
