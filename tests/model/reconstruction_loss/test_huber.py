from __future__ import annotations

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.reconstruction_loss.huber import Huber


def test_closed_form_and_gradient() -> None:
    reconstruction = torch.tensor([[0.1, -1.0], [2.0, 0.0]], requires_grad=True)
    target = torch.tensor([[0.0, -0.5], [-1.0, 0.25]])
    loss = Huber(delta=0.25)(reconstruction=reconstruction, target=target)
    squared, beyond = [0.1**2 / 2, 0.25**2 / 2], [0.25 * (0.5 - 0.125), 0.25 * (3 - 0.125)]
    assert loss.item() == pytest.approx(sum([*squared, *beyond]) / 4, rel=1e-6)
    loss.backward()
    torch.testing.assert_close(reconstruction.grad, torch.tensor([[0.1, -0.25], [0.25, -0.25]]) / 4)


def test_its_weight_and_its_limits() -> None:
    x, y = torch.tensor([0.3, -0.7]), torch.tensor([0.0, 0.1])
    errors = (x - y).abs()
    half = Huber(delta=5.0, weight=2.0)(reconstruction=x, target=y)
    torch.testing.assert_close(half, errors.square().mean())
    small = Huber(delta=1e-4)(reconstruction=x, target=y)
    torch.testing.assert_close(small, 1e-4 * errors.mean(), rtol=1e-3, atol=0)


@pytest.mark.parametrize(
    ("option", "value"), [("delta", 0.0), ("delta", -0.1), ("delta", float("nan")), ("weight", 0.0)]
)
def test_options_are_checked(option: str, value: float) -> None:
    with pytest.raises(OptionError) as error:
        Huber(**{option: value})
    assert error.value.option == option
