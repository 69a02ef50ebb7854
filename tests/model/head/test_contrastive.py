from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from ganvas.errors import OptionError
from ganvas.model.critic import Critic
from ganvas.model.discriminator.biggan import BigGANDiscriminator
from ganvas.model.head.contrastive import ContrastiveHead
from ganvas.model.head.d2d_ce import D2DCEHead

LABEL = torch.tensor([0, 2, 1, 1, 0, 0, 2])


def made(**options: Any) -> tuple[ContrastiveHead, Tensor]:
    torch.manual_seed(0)
    head = ContrastiveHead(4, num_classes=4, embedding_dim=6, **options).double()
    return head, torch.randn(len(LABEL), 4, dtype=torch.float64, requires_grad=True)


def by_the_formula(head: ContrastiveHead, features: Tensor, temperature: float) -> Tensor:
    assert head.embed is not None
    assert head.classes is not None
    sample = [row / row.norm() for row in features @ head.embed.weight.T + head.embed.bias]
    proxy = [row / row.norm() for row in head.classes.weight]
    total = torch.zeros((), dtype=torch.float64)
    for i, y in enumerate(LABEL.tolist()):
        positive = every = (sample[i] @ proxy[y] / temperature).exp()
        for j in range(len(LABEL)):
            if j != i:
                near = (sample[i] @ sample[j] / temperature).exp()
                every = every + near
                positive = positive + near if LABEL[j] == y else positive
        total = total - (positive / every).log() / len(LABEL)
    return total


def test_it_is_its_formula() -> None:
    head, features = made(weight=0.7, temperature=0.3)
    loss, expected = head.class_loss(features, LABEL), 0.7 * by_the_formula(head, features, 0.3)
    torch.testing.assert_close(loss, expected)
    inputs = [features, *head.embed.parameters(), *head.classes.parameters()]
    for found, right in zip(
        torch.autograd.grad(loss, inputs), torch.autograd.grad(expected, inputs), strict=True
    ):
        torch.testing.assert_close(found, right)
    torch.testing.assert_close(head(features), features @ head.linear.weight[0] + head.linear.bias)


def test_closed_forms() -> None:
    head, features = made()
    one = head.class_loss(features, torch.ones_like(LABEL))
    assert one.item() == 0.0, "nothing to be told apart from"
    assert not torch.autograd.grad(one, features)[0].any()
    assert head.class_loss(features[:1], LABEL[:1]).item() == 0.0
    # two samples of two classes, all embeddings orthogonal but each to its own class: e / (e + 1)
    eye = torch.eye(2, dtype=torch.bool)
    losses = head.contrast(to_class=torch.ones(2).double(), to_sample=eye.double(), same_class=eye)
    assert losses.tolist() == pytest.approx([math.log(1 + math.exp(-1))] * 2)


def test_alike_embeddings_have_finite_gradients() -> None:
    head, _ = made(temperature=0.05)
    for value in (1.0, 0.0):  # one direction; with biases of 0 no direction
        with torch.no_grad():
            head.embed.bias.fill_(value)
        features = torch.full((7, 4), value, dtype=torch.float64, requires_grad=True)
        loss = head.class_loss(features, LABEL)
        assert loss.isfinite()
        assert loss > 0
        for gradient in torch.autograd.grad(
            loss, [features, *head.embed.parameters(), *head.classes.parameters()]
        ):
            assert gradient.isfinite().all()
            assert gradient.abs().max() < 1e8


def test_autocast_leaves_it_in_float32() -> None:
    torch.manual_seed(0)
    head, features = ContrastiveHead(64, num_classes=3), torch.randn(9, 64)
    label = torch.arange(9) % 3
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = head.class_loss(features, label)
    exact = head.class_loss(features, label)
    assert rounded.dtype == torch.float32
    # the two layers before it are rounded; products of embeddings in bfloat16 would be off by 2^-8 themselves
    assert rounded.item() == pytest.approx(exact.item(), rel=1e-3)


def test_two_ranks_are_one_process(two_ranks: Callable[[str], list[Any]]) -> None:
    results = two_ranks("""
        import torch

        from ganvas.functional.distributed import mean_over_ranks_
        from ganvas.model.head.contrastive import ContrastiveHead
        from ganvas.model.head.d2d_ce import D2DCEHead

        result = {}
        for kind in (ContrastiveHead, D2DCEHead):
            torch.manual_seed(0)
            head = kind(4, num_classes=4, embedding_dim=6, temperature=0.3, weight=0.7).double()
            features = torch.randn(8, 4, dtype=torch.float64)
            label = torch.tensor([0, 2, 1, 1, 0, 0, 2, 3])
            own = features[4 * rank : 4 * rank + 4].clone().requires_grad_(True)
            loss = head.class_loss(own, label[4 * rank : 4 * rank + 4])
            loss.backward()
            gradients = [one.grad for one in head.parameters() if one.grad is not None]
            mean_over_ranks_(gradients)
            result[kind.__name__] = [loss.detach(), own.grad, gradients]
    """)
    for kind in (ContrastiveHead, D2DCEHead):
        torch.manual_seed(0)
        head = kind(4, num_classes=4, embedding_dim=6, temperature=0.3, weight=0.7).double()
        features = torch.randn(8, 4, dtype=torch.float64, requires_grad=True)
        loss = head.class_loss(features, torch.tensor([0, 2, 1, 1, 0, 0, 2, 3]))
        loss.backward()
        assert features.grad is not None
        gradients = [one.grad for one in head.parameters() if one.grad is not None]
        assert len(gradients) == 3, "the logit's layer has none"
        for rank, result in enumerate(results):
            value, of_samples, means = result[kind.__name__]
            torch.testing.assert_close(value, loss.detach())
            # a rank's samples reach its own weights alone, and those are averaged over the two
            torch.testing.assert_close(of_samples, 2 * features.grad[4 * rank : 4 * rank + 4])
            torch.testing.assert_close(means, gradients)


def test_without_classes_it_is_one_layer() -> None:
    head = ContrastiveHead(4)
    assert not head.classifies
    assert sum(parameter.numel() for parameter in head.parameters()) == 5


def test_biggan_has_its_published_number_of_parameters() -> None:
    network = BigGANDiscriminator(channels=3, image_size=32)
    for kind in (ContrastiveHead, D2DCEHead):
        critic = Critic(network, kind(network.feature_dim, num_classes=10))
        assert sum(parameter.numel() for parameter in critic.parameters()) == 2_517_186


@pytest.mark.parametrize(
    ("option", "value"),
    [("weight", 0.0), ("temperature", 0.0), ("embedding_dim", 0), ("num_classes", 1), ("init_std", 0.0)],
)
def test_options_are_checked(option: str, value: object) -> None:
    with pytest.raises(OptionError) as error:
        ContrastiveHead(**({"feature_dim": 4, "num_classes": 3} | {option: value}))
    assert error.value.option == option
