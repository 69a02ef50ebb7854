from __future__ import annotations

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.reconstruction_loss.mse import MSE


def test_closed_form_and_gradient() -> None:
    reconstruction = torch.tensor([[0.5, -1.0], [2.0, 0.0]], requires_grad=True)
    target = torch.tensor([[0.0, -1.0], [-1.0, 0.25]])
    loss = MSE()(reconstruction=reconstruction, target=target)
    assert loss.item() == pytest.approx((0.25 + 9 + 0.0625) / 4, rel=1e-6)
    loss.backward()
    torch.testing.assert_close(reconstruction.grad, 2 * (reconstruction.detach() - target) / 4)


def test_it_is_float32_from_halves() -> None:
    loss = MSE()(reconstruction=torch.ones(3, dtype=torch.bfloat16), target=torch.zeros(3))
    assert loss.dtype == torch.float32


def test_its_weight() -> None:
    x, y = torch.tensor([1.0, 4.0]), torch.tensor([0.0, 2.0])
    once, thrice = (MSE(weight)(reconstruction=x, target=y) for weight in (1.0, 3.0))
    assert thrice.item() == pytest.approx(3 * once.item(), rel=1e-6)
    for weight in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(OptionError, match="must be positive"):
            MSE(weight)
