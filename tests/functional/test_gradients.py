from __future__ import annotations

import pytest
import torch

from ganvas.functional.gradients import clip_gradients, input_gradient, mean_squared_gradient, norm_over_ranks


def test_input_gradient_of_a_quadratic_form() -> None:
    torch.manual_seed(0)
    half = torch.randn(6, 6)
    matrix = (half + half.T).requires_grad_(True)
    x = torch.randn(4, 2, 3)

    def value(samples: torch.Tensor) -> torch.Tensor:
        flat = samples.flatten(1)
        return (flat @ matrix * flat).sum(1) / 2

    expected = x.flatten(1) @ matrix  # d (x'Ax / 2) = Ax
    torch.testing.assert_close(input_gradient(value, x), expected)
    penalty = mean_squared_gradient(value, x)
    torch.testing.assert_close(penalty, expected.square().sum(1).mean())
    penalty.backward()
    assert matrix.grad is not None
    assert matrix.grad.abs().sum() > 0
    assert not x.requires_grad


def test_norm_over_ranks_is_that_of_all_gradients_together() -> None:
    torch.manual_seed(0)
    parameters = [torch.nn.Parameter(torch.zeros(shape)) for shape in ((3, 4), (5,), (2, 2, 2))]
    for parameter in parameters[:2]:
        parameter.grad = torch.randn_like(parameter)
    norm = norm_over_ranks([p.grad for p in parameters if p.grad is not None])
    everything = torch.cat([parameter.grad.flatten() for parameter in parameters[:2]])
    torch.testing.assert_close(norm, everything.double().square().sum().sqrt().float())
    assert torch.equal(norm, torch.nn.utils.get_total_norm([parameter.grad for parameter in parameters[:2]]))
    assert norm_over_ranks([p.grad for p in parameters[2:] if p.grad is not None]).item() == 0
    parameters[1].grad[4] = torch.inf
    assert norm_over_ranks([p.grad for p in parameters if p.grad is not None]).item() == torch.inf


@pytest.mark.parametrize("max_norm", [0.5, 100.0])
def test_clipped_gradients_are_torchs(max_norm: float) -> None:
    torch.manual_seed(0)
    parameters = [torch.nn.Parameter(torch.zeros(shape)) for shape in ((3, 4), (5,), (2, 2))]
    for parameter in parameters[:2]:
        parameter.grad = torch.randn_like(parameter)
    copies = [torch.nn.Parameter(torch.zeros_like(parameter)) for parameter in parameters]
    for copy, parameter in zip(copies[:2], parameters[:2], strict=True):
        copy.grad = parameter.grad.clone()
    torch.nn.utils.clip_grad_norm_(copies, max_norm)
    clip_gradients(parameters, max_norm, norm_over_ranks([p.grad for p in parameters if p.grad is not None]))
    for copy, parameter in zip(copies[:2], parameters[:2], strict=True):
        assert torch.equal(copy.grad, parameter.grad)
    assert parameters[2].grad is None
    assert norm_over_ranks([p.grad for p in parameters if p.grad is not None]).item() <= max_norm
    clip_gradients(parameters[2:], max_norm, torch.zeros(()))  # none to clip
