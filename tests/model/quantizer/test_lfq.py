from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from ganvas.errors import OptionError
from ganvas.model.quantizer.binary import BinaryQuantizer
from ganvas.model.quantizer.bsq import BSQ
from ganvas.model.quantizer.lfq import LFQ


def all_codes(bits: int) -> Tensor:
    """-1 and 1, float64 [2^d, d], in the order of their indices."""
    rows = itertools.product((-1.0, 1.0), repeat=bits)
    return torch.tensor([row[::-1] for row in rows], dtype=torch.float64)


def entropies(latents: Tensor, codes: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """E H(p) and H(E p) by their definition, over all codes [2^d, d]."""
    p = (-(latents[:, None] - codes).square().sum(2) / temperature).softmax(1)  # [N, 2^d]
    return torch.special.entr(p).sum(1).mean(), torch.special.entr(p.mean(0)).sum()


@pytest.mark.parametrize("bits", [1, 4, 10])
def test_the_index_is_the_binary_number_of_the_signs(bits: int) -> None:
    codes = all_codes(bits)
    quantizer = LFQ(bits)
    assert quantizer.codebook_sizes == (2**bits,)
    assert torch.equal(quantizer.decode(torch.arange(2**bits)[:, None]), codes.float())
    scaled = codes.float() * torch.rand(2**bits, bits).add(0.01)
    assert torch.equal(quantizer.encode(scaled)[:, 0], torch.arange(2**bits))
    assert torch.equal(quantizer(scaled).quantized, codes.float())
    assert (quantizer(torch.zeros(1, bits)).quantized == -1).all()


@pytest.mark.parametrize("kind", [LFQ, BSQ])
def test_the_first_bit_may_be_the_highest(kind: type[LFQ | BSQ]) -> None:
    z, quantizer = torch.randn(50, 4), kind(4, first_bit="highest")
    output = quantizer(z)
    assert torch.equal(output.indices[:, 0], ((z > 0) * torch.tensor([8, 4, 2, 1])).sum(1))
    torch.testing.assert_close(quantizer.decode(output.indices), output.quantized)
    torch.testing.assert_close(output.loss, kind(4)(z).loss)


@pytest.mark.parametrize("is_masked", [False, True])
def test_the_loss_is_its_definition_over_all_codes(is_masked: bool) -> None:
    torch.manual_seed(0)
    z = torch.randn(6, 5, 4, dtype=torch.float64, requires_grad=True)
    mask = torch.rand(6, 4) > 0.3 if is_masked else None
    quantizer = LFQ(5, commitment_cost=0.3, entropy_cost=0.7, entropy_diversity=1.5, entropy_temperature=0.6)
    output = quantizer(z, mask)
    rows = z.movedim(1, -1).flatten(0, 1)
    rows = rows if mask is None else rows[mask.flatten()]
    each, joint = entropies(rows, all_codes(5), 0.6)
    commitment = (rows - rows.detach().sign()).square().mean()
    expected = 0.3 * commitment + 0.7 * (each - 1.5 * joint)
    torch.testing.assert_close(output.loss, expected)
    (wanted,) = torch.autograd.grad(expected, z)
    torch.testing.assert_close(torch.autograd.grad(output.loss, z)[0], wanted)
    torch.testing.assert_close(output.metrics["commitment_loss"], commitment.detach())
    torch.testing.assert_close(output.metrics["entropy_loss"], (each - 1.5 * joint).detach())


def test_one_bit_a_group_takes_them_as_independent() -> None:
    z = torch.randn(9, 3, dtype=torch.float64)
    losses = {g: LFQ(3, commitment_cost=0, entropy_cost=1, group_bits=g)(z).loss for g in (1, 3)}
    bits = torch.sigmoid(4 * z).mean(0)
    joint = torch.special.entr(bits).sum() + torch.special.entr(1 - bits).sum()
    each, exact = entropies(z, all_codes(3), 1.0)
    torch.testing.assert_close(losses[1], each - joint)
    torch.testing.assert_close(losses[3], each - exact)


def test_the_gradient_passes_as_it_is() -> None:
    z = torch.randn(4, 3).requires_grad_(True)
    upstream = torch.randn(4, 3)
    LFQ(3)(z).quantized.backward(upstream)
    torch.testing.assert_close(z.grad, upstream)


@pytest.mark.parametrize("bits", [36, 62])
def test_codes_that_no_table_holds(bits: int) -> None:
    quantizer = LFQ(bits, group_bits=9)
    indices = torch.tensor([0, 1, 2**35 + 5, 2**bits - 1]).view(2, 1, 2)
    assert torch.equal(quantizer.encode(quantizer.decode(indices)), indices)
    output = quantizer(torch.randn(8, bits, 3))
    assert output.metrics["codes_used"].item() == 24
    assert output.loss.isfinite()


BAD: list[tuple[dict[str, Any], str]] = [
    ({"embedding_dim": 0}, "embedding_dim"),
    ({"embedding_dim": 63}, "embedding_dim"),
    ({"embedding_dim": 2.5}, "embedding_dim"),
    ({"group_bits": 2.5}, "group_bits"),
    ({"commitment_cost": -0.1}, "commitment_cost"),
    ({"entropy_cost": -0.1}, "entropy_cost"),
    ({"entropy_diversity": -1}, "entropy_diversity"),
    ({"entropy_temperature": 0}, "entropy_temperature"),
    ({"group_bits": 0}, "group_bits"),
    ({"group_bits": 21}, "group_bits"),
    ({"first_bit": "first"}, "first_bit"),
]


@pytest.mark.parametrize(("options", "name"), BAD)
def test_options_are_checked(options: dict[str, Any], name: str) -> None:
    with pytest.raises(OptionError) as error:
        LFQ(**options)
    assert error.value.option == name
    assert issubclass(LFQ, BinaryQuantizer)
