from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.errors import OptionError
from ganvas.functional import chunks
from ganvas.model.quantizer.ibq import IBQ


def by_definition(
    rows: Tensor, e: Tensor, codebook_cost: float, entropy_cost: float
) -> tuple[Tensor, Tensor]:
    """q and the loss, as the paper writes them, with the matrix of N by K held whole."""
    scores = rows @ e.T
    p = scores.softmax(1)
    hard = F.one_hot(scores.argmax(1), len(e)).to(rows.dtype)
    q, h = (hard - p.detach() + p) @ e, hard @ e
    loss = (q - rows).square().mean() + (h.detach() - rows).square().mean()
    loss = loss + codebook_cost * (h - rows.detach()).square().mean()
    soft = (scores / 0.2).softmax(1)
    entropy = torch.special.entr(soft).sum(1).mean() - torch.special.entr(soft.mean(0)).sum()
    return q, loss + entropy_cost * entropy


@pytest.mark.parametrize("numbers", [2**20, 22])
@pytest.mark.parametrize("is_masked", [False, True])
def test_value_and_gradients_are_those_of_the_definition(
    is_masked: bool, numbers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "_CPU_NUMBERS", numbers)  # 22: two vectors at a time
    torch.manual_seed(0)
    quantizer = IBQ(11, 3, codebook_cost=0.4, entropy_cost=0.6, entropy_temperature=0.2).double()
    z = torch.randn(5, 3, 4, dtype=torch.float64, requires_grad=True)
    mask = torch.rand(5, 4) > 0.4 if is_masked else None
    upstream = torch.randn(5, 3, 4, dtype=torch.float64)
    output = quantizer(z, mask)
    rows, weights = (one.movedim(1, -1).flatten(0, 1) for one in (z, upstream))
    if mask is not None:
        rows, weights = rows[mask.flatten()], weights[mask.flatten()]
    q, loss = by_definition(rows, quantizer.codebook, 0.4, 0.6)
    torch.testing.assert_close(output.loss, loss)
    leaves = [z, quantizer.codebook]
    found = torch.autograd.grad((output.quantized * upstream).sum() + 3 * output.loss, leaves)
    expected = torch.autograd.grad((q * weights).sum() + 3 * loss, leaves)
    torch.testing.assert_close(found, expected)
    assert (found[1].abs().sum(1) > 0).all(), "a gradient reaches every code"


def test_the_largest_product_and_not_the_least_distance() -> None:
    quantizer = IBQ(2, 2)
    with torch.no_grad():
        quantizer.codebook.copy_(torch.tensor([[1.0, 0.0], [5.0, 3.0]]))
    assert quantizer.encode(torch.tensor([[1.0, 0.1]])).item() == 1


def test_it_learns_to_use_all_codes() -> None:
    torch.manual_seed(0)
    quantizer = IBQ(16, 4)
    optimizer = torch.optim.Adam(quantizer.parameters(), lr=0.03)
    z = torch.randn(256, 4)
    first = copy.deepcopy(quantizer)(z)
    for _ in range(60):
        output = quantizer(z)
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
    assert output.metrics["codebook_loss"] < 0.7 * first.metrics["codebook_loss"]
    assert output.metrics["codes_used"] == 16


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("num_embeddings", 1),
        ("embedding_dim", 0),
        ("codebook_cost", -1),
        ("entropy_cost", -0.1),
        ("entropy_temperature", 0),
    ],
)
def test_options_are_checked(option: str, value: float) -> None:
    with pytest.raises(OptionError) as error:
        IBQ(**{option: value})
    assert error.value.option == option
