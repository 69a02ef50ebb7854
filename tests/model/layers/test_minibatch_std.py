from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ganvas.errors import OptionError
from ganvas.model.layers.minibatch_std import MinibatchStd


def by_hand(x: Tensor, group: int) -> Tensor:
    """A value for each sample, in float64."""
    rows = x.double().unflatten(0, (-1, group))
    values = torch.stack([(one - one.mean(0)).square().mean(0).add(1e-8).sqrt().mean() for one in rows])
    return values.repeat_interleave(group)


def test_closed_forms() -> None:
    torch.manual_seed(0)
    layer = MinibatchStd(2)
    alike = torch.randn(1, 3, 4, 4).expand(4, -1, -1, -1)
    torch.testing.assert_close(layer(alike)[:, 3], torch.full((4, 4, 4), 1e-4))
    pairs = torch.ones(4, 3, 4, 4)
    pairs[1::2] = -1
    torch.testing.assert_close(layer(pairs)[:, 3], torch.ones(4, 4, 4))
    torch.testing.assert_close(MinibatchStd(4)(pairs)[:, 3], torch.ones(4, 4, 4))
    torch.testing.assert_close(layer(pairs[[0, 2, 1, 3]])[:, 3], torch.full((4, 4, 4), 1e-4))


@pytest.mark.parametrize("group", [2, 3, 6])
def test_groups_are_samples_in_a_row(group: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(6, 2, 3, 5) * torch.arange(1, 7).view(6, 1, 1, 1)
    layer = MinibatchStd(group)
    made = layer(x)
    assert torch.equal(made[:, :2], x)
    assert made.shape == (6, 3, 3, 5)
    torch.testing.assert_close(made[:, 2, 1, 4].double(), by_hand(x, group))
    for part in x.split(group):
        at = next(i for i in range(6) if torch.equal(x[i], part[0]))
        torch.testing.assert_close(layer(part), made[at : at + group], msg="a part of whole groups")
    torch.testing.assert_close(layer.eval()(x), made)


def test_any_number_of_samples_in_eval_mode() -> None:
    torch.manual_seed(0)
    layer, x = MinibatchStd(4).eval(), torch.randn(7, 2, 3, 3)
    made = layer(x)[:, 2, 0, 0].double()
    torch.testing.assert_close(made[:4], by_hand(x[:4], 4))
    torch.testing.assert_close(made[4:], by_hand(x[3:], 4)[:3])
    torch.testing.assert_close(layer(x[:3])[:, 2, 0, 0].double(), by_hand(x[:3], 3), msg="one smaller group")
    torch.testing.assert_close(layer(x[:1])[0, 2], torch.full((3, 3), 1e-4))
    assert layer(x[:0]).shape == (0, 3, 3, 3)


def test_in_training_a_batch_has_whole_groups() -> None:
    with pytest.raises(ValueError, match="a batch of 6 where samples are compared in groups of 4"):
        MinibatchStd(4)(torch.zeros(6, 2, 3, 3))
    assert MinibatchStd(4).batch_multiple == 4


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_it_is_of_the_type_of_the_map(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 2, 3, 3).to(dtype)
    made = MinibatchStd(2)(x)
    assert made.dtype == dtype
    torch.testing.assert_close(made[:, 2, 0, 0].double(), by_hand(x, 2), rtol=1e-2, atol=0)


def test_gradients_of_alike_samples_are_finite() -> None:
    x = torch.ones(2, 2, 3, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(MinibatchStd(2)(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum(), x)
    assert gradient.isfinite().all()
    assert second.isfinite().all()


@pytest.mark.parametrize("group", [1, 0, -4])
def test_the_option_is_checked(group: int) -> None:
    with pytest.raises(OptionError, match="at least 2 samples") as error:
        MinibatchStd(group)
    assert error.value.option == "minibatch_group"
