from __future__ import annotations

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.optimizer.adam import adam


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_two_steps_of_the_papers_algorithm(weight_decay: float) -> None:
    lr, (beta1, beta2), eps = 0.1, (0.5, 0.9), 1e-3
    parameter = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer = adam([parameter], lr=lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay)
    expected, m, v = torch.tensor([1.0, -2.0]), torch.zeros(2), torch.zeros(2)
    for step, gradient in enumerate([torch.tensor([0.4, -3.0]), torch.tensor([-0.1, 0.7])], start=1):
        parameter.grad = gradient.clone()
        optimizer.step()
        decayed = gradient + weight_decay * expected
        m = beta1 * m + (1 - beta1) * decayed
        v = beta2 * v + (1 - beta2) * decayed**2
        corrected = (v / (1 - beta2**step)).sqrt() + eps
        expected = expected - lr * m / (1 - beta1**step) / corrected
    torch.testing.assert_close(parameter.detach(), expected)
    assert optimizer.defaults["fused"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("lr", 0.0),
        ("lr", -1e-3),
        ("beta2", 1.0),
        ("beta1", -0.1),
        ("eps", 0.0),
        ("weight_decay", -1e-3),
    ],
)
def test_options_are_checked(option: str, value: object) -> None:
    with pytest.raises(OptionError) as error:
        adam([torch.nn.Parameter(torch.zeros(1))], **{option: value})
    assert error.value.option == option
