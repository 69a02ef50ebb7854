from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.errors import OptionError
from ganvas.model.quantizer.bsq import BSQ


def test_codes_lie_on_the_unit_sphere() -> None:
    z = torch.tensor([[0.3, -40.0, 1e-4]])
    output = BSQ(3)(z)
    side = 1 / math.sqrt(3)
    torch.testing.assert_close(output.quantized, torch.tensor([[side, -side, side]]))
    assert output.indices.tolist() == [[0b101]]


@pytest.mark.parametrize("is_masked", [False, True])
def test_the_loss_is_its_definition_over_all_codes(is_masked: bool) -> None:
    torch.manual_seed(0)
    z = (2 * torch.randn(7, 4, dtype=torch.float64)).requires_grad_(True)
    mask = torch.rand(7) > 0.4 if is_masked else None
    quantizer = BSQ(4, commitment_cost=0.3, entropy_cost=0.7, entropy_diversity=1.5, entropy_temperature=0.4)
    output = quantizer(z, mask)
    rows = F.normalize(z if mask is None else z[mask])
    codes = torch.tensor(list(itertools.product((-0.5, 0.5), repeat=4)), dtype=torch.float64)
    p = (-(rows[:, None] - codes).square().sum(2) / 0.4).softmax(1)
    entropy = torch.special.entr(p).sum(1).mean() - 1.5 * torch.special.entr(p.mean(0)).sum()
    commitment = (rows - rows.detach().sign() / 2).square().sum(1).mean()  # a sum over dimensions
    torch.testing.assert_close(output.loss, 0.3 * commitment + 0.7 * entropy)
    (wanted,) = torch.autograd.grad(0.3 * commitment + 0.7 * entropy, z)
    torch.testing.assert_close(torch.autograd.grad(output.loss, z)[0], wanted)


def test_the_gradient_is_that_of_the_unit_vector() -> None:
    z = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(5, 3, dtype=torch.float64)
    (found,) = torch.autograd.grad(BSQ(3)(z).quantized, z, upstream)
    (expected,) = torch.autograd.grad(F.normalize(z), z, upstream)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close((found * z).sum(1), torch.zeros(5, dtype=torch.float64))  # none along z


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e-6, 1e38])
def test_any_length_has_a_finite_gradient(scale: float) -> None:
    z = (scale * torch.tensor([[1.0, -2.0, 3.0]])).requires_grad_(True)
    output = BSQ(3)(z)
    torch.testing.assert_close(output.quantized.norm(), torch.ones(()))
    (output.loss + output.quantized[0, 0]).backward()
    assert output.loss.isfinite()
    assert z.grad is not None
    assert z.grad.isfinite().all()


def test_36_bits_train() -> None:
    """A linear map between bits and what they should say learns through codes that no table holds."""
    torch.manual_seed(0)
    target = torch.randn(64, 8)
    encoder, decoder = torch.nn.Linear(8, 36), torch.nn.Linear(36, 8)
    quantizer = BSQ(36)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.02)
    errors: list[float] = []
    for _ in range(60):
        output = quantizer(encoder(target))
        error = (decoder(output.quantized) - target).square().mean()
        optimizer.zero_grad()
        (error + output.loss).backward()
        optimizer.step()
        errors.append(error.item())
    assert quantizer.bits_per_vector == 36
    assert errors[-1] < 0.4 * errors[0]
    assert output.metrics["codes_used"].item() == 64
    assert torch.equal(quantizer.decode(output.indices), output.quantized)


def test_a_commitment_is_bounded_for_any_number_of_bits() -> None:
    z: Tensor = torch.eye(36)  # as far as it can be: all of its length in one dimension
    commitment = BSQ(36)(z).metrics["commitment_loss"].item()
    # |u|^2 + |q|^2 - 2 u.q = 2 - 2/6 where the sign of u is that of q
    assert commitment == pytest.approx(2 - 2 / 6)


def test_options_are_checked() -> None:
    for options, name in (
        ({"embedding_dim": 0}, "embedding_dim"),
        ({"entropy_temperature": -1.0}, "entropy_temperature"),
    ):
        with pytest.raises(OptionError) as error:
            BSQ(**options)  # type: ignore[arg-type]
        assert error.value.option == name
