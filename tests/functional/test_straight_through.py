from __future__ import annotations

import torch
from torch import Tensor

from ganvas.functional.codes import straight_through


def test_the_value_is_exactly_the_quantized_and_the_gradient_the_latents() -> None:
    latent = torch.tensor([1e8, 0.3, -7.1], requires_grad=True)
    quantized = torch.tensor([0.1, 0.7, 2.3], requires_grad=True)
    output = straight_through(quantized=quantized, latent=latent)
    assert torch.equal(output, quantized)  # z + (q - z) gives 0 in place of the first
    output.backward(torch.tensor([2.0, -3.0, 5.0]))
    assert latent.grad is not None
    assert latent.grad.tolist() == [2.0, -3.0, 5.0]
    assert quantized.grad is None


def test_a_slope_multiplies_the_gradient_alone() -> None:
    latent = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    quantized = torch.tensor([[0.1, 0.7], [2.3, -1.0]])
    output = straight_through(quantized=quantized, latent=latent, slope=torch.tensor([2.0, -0.5]))
    assert torch.equal(output, quantized)
    (gradient,) = torch.autograd.grad(output, latent, torch.tensor([[1.0, 10.0], [100.0, 1000.0]]))
    assert gradient.tolist() == [[2.0, -5.0], [200.0, -500.0]]


TWICE = torch.tensor(2.0)


def cubed(latent: Tensor) -> Tensor:
    """round(z)^3, whose gradient is made 2 * 3 round(z)^2, and the second one 2 * 2 * 6 round(z)."""
    return straight_through(quantized=latent.round(), latent=latent, slope=TWICE).pow(3)


def test_derivatives_of_any_order_and_mode() -> None:
    z = torch.tensor([1.2, -2.7])
    expected = torch.tensor([6.0, 54.0])
    assert torch.equal(torch.func.grad(lambda x: cubed(x).sum())(z), expected)
    assert torch.equal(
        torch.func.jvp(cubed, (z,), (torch.tensor([1.0, 10.0]),))[1], expected * torch.tensor([1.0, 10.0])
    )
    assert torch.equal(
        torch.func.hessian(lambda x: cubed(x).sum())(z), torch.diag(torch.tensor([24.0, -72.0]))
    )
    batched = torch.func.vmap(torch.func.grad(lambda x: cubed(x).sum()))(torch.stack([z, z + 1]))
    assert torch.equal(batched, torch.stack([expected, torch.tensor([24.0, 24.0])]))


def test_a_traced_and_a_compiled_one_compute_the_same() -> None:
    z = torch.tensor([1.2, -2.7], requires_grad=True)
    for other in (torch.jit.trace(cubed, (z,)), torch.compile(cubed, backend="aot_eager", fullgraph=True)):
        assert torch.equal(other(z), cubed(z))
        (gradient,) = torch.autograd.grad(other(z).sum(), z)
        assert gradient.tolist() == [6.0, 54.0]


def test_of_other_types_or_shapes_the_result_is_as_torch_combines_them() -> None:
    latent = torch.tensor([[1.0], [2.0]], requires_grad=True)
    quantized = torch.tensor([0.5, 0.25, 4.0], dtype=torch.float16)
    output = straight_through(quantized=quantized, latent=latent)
    assert output.dtype == torch.float32
    assert output.tolist() == [[0.5, 0.25, 4.0]] * 2
    (gradient,) = torch.autograd.grad(output, latent, torch.tensor([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]]))
    assert gradient.tolist() == [[7.0], [56.0]]
