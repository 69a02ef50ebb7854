from __future__ import annotations

import torch

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
