from __future__ import annotations

import itertools
import math

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.quantizer.fsq import FSQ


@pytest.mark.parametrize("levels", [[8, 5, 5, 5], [3], [4, 3, 7], [7, 16]])
def test_index_to_code_to_index(levels: list[int]) -> None:
    quantizer = FSQ(levels, embedding_dim=len(levels))
    indices = torch.arange(quantizer.codebook_sizes[0]).view(1, 1, -1)
    assert quantizer.codebook_sizes == (math.prod(levels),)
    codes = quantizer.decode(indices)  # [1, D, K]
    assert torch.equal(quantizer.index_of(codes), indices)
    digits = itertools.product(*(range(count) for count in reversed(levels)))  # the first one runs fastest
    expected = [
        [(d - n // 2) / (n // 2) for d, n in zip(reversed(row), levels, strict=True)] for row in digits
    ]
    torch.testing.assert_close(codes[0].T, torch.tensor(expected))


def test_the_papers_formula() -> None:
    levels, z = [8, 5, 3], [0.3, -0.9, 0.2]
    indices, radix, codes = 0, 1, []
    for count, value in zip(levels, z, strict=True):
        half = (count - 1) * (1 - 1e-3) / 2
        offset = 0.5 if count % 2 == 0 else 0.0
        rounded = round(half * math.tanh(value + math.atanh(offset / half)) - offset)
        codes.append(rounded / (count // 2))
        indices += radix * (rounded + count // 2)
        radix *= count
    output = FSQ(levels, embedding_dim=3)(torch.tensor([z]))
    torch.testing.assert_close(output.quantized, torch.tensor([codes]))
    assert output.indices.item() == indices


@pytest.mark.parametrize("count", [3, 4, 5, 8, 9])
def test_every_level_is_reached_and_none_beyond(count: int) -> None:
    quantizer = FSQ([count], embedding_dim=1)
    z = torch.linspace(-40, 40, 100_001)[:, None]
    indices = quantizer(z).indices
    assert torch.equal(indices.unique(), torch.arange(count))
    assert (indices.diff() >= 0).all()
    assert quantizer(torch.zeros(1, 1)).quantized.item() == 0  # tan in place of atanh misses this for even L


def test_the_gradient_is_the_bounds() -> None:
    quantizer = FSQ([4, 5], embedding_dim=2)
    z = torch.tensor([[0.3, -0.8]], requires_grad=True)
    upstream = torch.tensor([[2.0, -3.0]])
    quantizer(z).quantized.backward(upstream)
    half = torch.tensor([3.0, 4.0]) * (1 - 1e-3) / 2
    shift = torch.tensor([math.atanh(0.5 / half[0].item()), 0.0])
    slope = half * (1 - torch.tanh(z.detach() + shift) ** 2) / torch.tensor([2.0, 2.0])
    torch.testing.assert_close(z.grad, upstream * slope)


def test_it_needs_no_loss_and_no_state() -> None:
    quantizer = FSQ([3, 3], embedding_dim=2)
    assert quantizer(torch.randn(4, 2)).loss.item() == 0
    assert quantizer.state_dict() == {}
    assert not list(quantizer.parameters())


@pytest.mark.parametrize(
    ("levels", "embedding_dim", "option"),
    [
        ([2, 5], 2, "levels"),
        ([5, 0], 2, "levels"),
        ([], 0, "levels"),
        ([2**31, 2**32], 2, "levels"),
        ([8, 5, 5, 5], 64, "embedding_dim"),
    ],
)
def test_options_are_checked(levels: list[int], embedding_dim: int, option: str) -> None:
    with pytest.raises(OptionError) as error:
        FSQ(levels, embedding_dim)
    assert error.value.option == option


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("levels", [999, 1000])
def test_many_levels_are_all_reached_and_no_other_in_half(levels: int, dtype: torch.dtype) -> None:
    quantizer = FSQ([levels, 4], 2).to(dtype)
    z = torch.tensor([[[-100.0, 100.0], [-100.0, 100.0]]], dtype=dtype)  # [1, D, 2]: the outermost codes
    assert quantizer.encode(z).tolist() == [[[0, 4 * levels - 1]]]
