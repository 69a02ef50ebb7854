from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from ganvas.errors import OptionError
from ganvas.model.reconstruction_loss.bce import BCE


def test_closed_form() -> None:
    reconstruction = torch.tensor([[0.5, -0.2], [0.9, 0.0]])  # p = 0.75, 0.4, 0.95, 0.5
    target = torch.tensor([[1.0, -1.0], [0.0, 0.5]])  # t = 1, 0, 0.5, 0.75
    expected = -(
        math.log(0.75)
        + math.log(0.6)
        + 0.5 * (math.log(0.95) + math.log(0.05))
        + 0.75 * math.log(0.5)
        + 0.25 * math.log(0.5)
    )
    loss = BCE()(reconstruction=reconstruction, target=target)
    assert loss.item() == pytest.approx(expected / 4, rel=1e-6)
    assert BCE(2.5)(reconstruction=reconstruction, target=target).item() == pytest.approx(
        2.5 * expected / 4, rel=1e-6
    )


def test_a_tanh_makes_it_the_loss_of_logits() -> None:
    torch.manual_seed(0)
    a = (3 * torch.randn(200, dtype=torch.float64)).clamp(-8, 8)  # beyond, tanh is 1 in float32
    target = torch.rand(200, dtype=torch.float64) * 2 - 1
    by_tanh, by_logits = a.clone().requires_grad_(True), a.clone().requires_grad_(True)
    loss = BCE()(reconstruction=by_tanh.tanh(), target=target)
    logits = binary_cross_entropy_with_logits(2 * by_logits, (target + 1) / 2)
    torch.testing.assert_close(loss, logits)
    loss.backward()
    logits.backward()
    torch.testing.assert_close(by_tanh.grad, by_logits.grad, rtol=1e-6, atol=1e-9)


def test_the_gradient_does_not_fade_where_a_pixel_is_wrong() -> None:
    a = torch.tensor([-8.0, 8.0], requires_grad=True)
    BCE()(reconstruction=a.tanh(), target=torch.tensor([1.0, -1.0])).backward()
    torch.testing.assert_close(a.grad, torch.tensor([-1.0, 1.0]), rtol=0.3, atol=0)  # 2 (p - t) / 2


def test_the_ends_are_finite() -> None:
    ends = torch.tensor([-1.0, 1.0, -1.0, 1.0], requires_grad=True)
    loss = BCE()(reconstruction=ends, target=torch.tensor([-1.0, 1.0, 1.0, -1.0]))
    assert loss.item() == pytest.approx(2 * 25 * math.log(2) / 4, rel=1e-6)
    loss.backward()
    assert ends.grad is not None
    assert ends.grad.isfinite().all()
    right = BCE()(reconstruction=ends[:2], target=ends[:2].detach())
    assert right.item() == pytest.approx(0, abs=1e-7)
    outside = torch.tensor([-1.5, 3.0])
    values = [BCE()(reconstruction=x, target=outside.sign()) for x in (outside, outside.sign())]
    assert torch.equal(*values)


def test_it_is_float32_from_halves_and_asks_for_a_bounded_decoder() -> None:
    loss = BCE()(reconstruction=torch.zeros(3, dtype=torch.bfloat16), target=torch.zeros(3))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(math.log(2), rel=1e-6)
    assert BCE().needs_bounded
    with pytest.raises(OptionError, match="weight=0"):
        BCE(0)
