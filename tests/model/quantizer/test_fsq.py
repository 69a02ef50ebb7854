from __future__ import annotations

import itertools
import math
from typing import Any

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


@pytest.mark.parametrize("cells", ["rounded", "symmetric", "equal"])
def test_a_vector_is_what_it_is_whatever_the_number_of_others(cells: str) -> None:
    """128 vectors are taken as lines of 64, and 127 one by one: equal to the bit, with their gradients."""
    z = 2 * torch.randn(128, 3, generator=torch.Generator().manual_seed(1))
    found = []
    for count in (128, 127):
        quantizer = FSQ([8, 3, 5], embedding_dim=3, cells=cells).train()
        latent = z[:count].clone().requires_grad_()
        out = quantizer(latent)
        (out.quantized * torch.linspace(1, 2, 3)).sum().backward()
        assert latent.grad is not None
        found.append((out.quantized.detach()[:127], out.indices[:127], latent.grad[:127]))
        assert torch.equal(quantizer.eval().encode(latent.detach()), out.indices)
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)
    assert FSQ([8, 3, 5], embedding_dim=3, cells=cells)(z[:0]).quantized.shape == (0, 3)


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
        ([2**20] * 4, 4, "levels"),
        ([2**20 + 1], 1, "levels"),
        ([5.5, 4], 2, "levels"),
        ([8, 5, 5, 5], 64, "embedding_dim"),
    ],
)
def test_options_are_checked(levels: list[Any], embedding_dim: int, option: str) -> None:
    with pytest.raises(OptionError) as error:
        FSQ(levels, embedding_dim)
    assert error.value.option == option


@pytest.mark.parametrize("margin", [0.05, -0.05])
def test_the_margin_is_a_share_of_the_half_width(margin: float) -> None:
    levels, z = [8, 5, 3], torch.randn(200, 3, dtype=torch.float64)
    half = (torch.tensor(levels, dtype=torch.float64) - 1) * (1 - margin) / 2
    offset = torch.tensor([0.5, 0.0, 0.0], dtype=torch.float64)
    rounded = (half * torch.tanh(z + torch.atanh(offset / half)) - offset).round()
    output = FSQ(levels, 3, margin=margin).double()(z)
    torch.testing.assert_close(output.quantized, rounded / torch.tensor([4, 2, 1]))
    assert not torch.equal(output.indices, FSQ(levels, 3, margin=-margin).double()(z).indices)
    outermost = FSQ(levels, 3, margin=margin).encode(torch.tensor([[-90.0] * 3, [90.0] * 3]))
    assert outermost.tolist() == [[0], [119]]


@pytest.mark.parametrize(
    "options", [{"margin": 0.25}, {"margin": -0.25}, {"margin": 0.1, "cells": "symmetric"}]
)
def test_a_margin_keeps_the_levels_as_they_are(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError) as error:
        FSQ([5, 4], 2, **options)
    assert error.value.option == "margin"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("levels", [999, 1000])
def test_many_levels_are_all_reached_and_no_other_in_half(levels: int, dtype: torch.dtype) -> None:
    quantizer = FSQ([levels, 4], 2).to(dtype)
    z = torch.tensor([[[-100.0, 100.0], [-100.0, 100.0]]], dtype=dtype)  # [1, D, 2]: the outermost codes
    assert quantizer.encode(z).tolist() == [[[0, 4 * levels - 1]]]


@pytest.mark.parametrize("count", [2, 3, 4, 5, 8])
def test_symmetric_and_equal_cells(count: int) -> None:
    z = torch.linspace(-4, 4, 4000, dtype=torch.float64)[:, None]  # without 0, an edge of even counts
    a = z.tanh()
    symmetric = FSQ([count], 1, cells="symmetric").double()
    number = ((count - 1) * (a + 1) / 2 + 0.5).floor()
    output = symmetric(z)
    torch.testing.assert_close(output.quantized, 2 * number / (count - 1) - 1)
    assert torch.equal(output.indices, number.long())
    assert (symmetric.decode(torch.tensor([[0], [count - 1]])).flatten() == torch.tensor([-1.0, 1.0])).all()
    for name, bounded in {
        "tanh": a,
        "sigmoid": 2 / (1 + (-1.6 * z).exp()) - 1,
        "normal_cdf": 2 * torch.distributions.Normal(0, 1).cdf(z) - 1,
    }.items():
        equal = FSQ([count], 1, cells="equal", activation=name).double()
        leaf = z.clone().requires_grad_(True)
        output = equal(leaf)
        number = (count * (bounded + 1) / 2).floor().clamp(max=count - 1)
        assert torch.equal(output.indices, number.long())
        torch.testing.assert_close(output.quantized, (2 * number + 1) / count - 1)
        assert ((output.quantized - bounded).abs() <= 1 / count + 1e-9).all(), "the middle of the cell"
        output.quantized.sum().backward()
        assert leaf.grad is not None
        slope = (bounded[2:] - bounded[:-2]) / (z[2:] - z[:-2])
        torch.testing.assert_close(leaf.grad[1:-1], slope, rtol=1e-4, atol=1e-6)
        far = torch.tensor([[-1e9], [1e9]], dtype=torch.float64)
        assert equal.encode(far).flatten().tolist() == [0, count - 1]


def test_the_activation_that_fits_makes_use_even() -> None:
    """Entropy of the levels of N(0, 1) as a share of log2 L, L = 5."""
    z = torch.special.ndtri((torch.arange(20_000) + 0.5) / 20_000)[:, None]
    even = {"tanh": 0.990, "sigmoid": 1.000, "normal_cdf": 1.000}
    made = {name: FSQ([5], 1, cells="equal", activation=name) for name in even}
    for name, share in (even | {"rounded": 0.993, "symmetric": 0.993}).items():
        quantizer = made.get(name) or FSQ([5], 1, cells=name)
        perplexity = quantizer(z).metrics["perplexity"]
        assert perplexity.log().item() / math.log(5) == pytest.approx(share, abs=6e-4)
    assert FSQ([5], 1, cells="equal").activation == "normal_cdf"


@pytest.mark.parametrize("cells", ["rounded", "symmetric", "equal"])
def test_noise_takes_the_place_of_rounding(cells: str) -> None:
    torch.manual_seed(0)
    plain, noisy = FSQ([5, 4], 2, cells=cells), FSQ([5, 4], 2, cells=cells, noise=0.3)
    assert plain.state_dict() == {}
    z = torch.randn(40_000, 2).requires_grad_(True)
    expected, output = plain(z), noisy(z)
    assert torch.equal(output.indices, expected.indices)
    moved = output.quantized != expected.quantized
    assert moved.float().mean().item() == pytest.approx(0.3, abs=0.01)
    half, offset = torch.tensor([2, 1.5]) * (1 - 1e-3), torch.tensor([0, 0.5])
    bounded, cell = {  # before rounding, in cells; and cells in one unit of a code
        "rounded": (half * (z + (offset / half).atanh()).tanh() - offset, torch.tensor([2, 2])),
        "symmetric": (torch.tensor([2, 1.5]) * z.tanh(), torch.tensor([2, 1.5])),
        "equal": (torch.tensor([2.5, 2]) * (z / math.sqrt(2)).erf(), torch.tensor([2.5, 2])),
    }[cells]
    error = (output.quantized * cell - bounded)[moved]  # in cells
    assert error.abs().max().item() <= 0.5 + 1e-5
    assert error.mean().item() == pytest.approx(0, abs=0.01)
    assert error.square().mean().item() == pytest.approx(1 / 12, abs=0.002)
    again = noisy(z)
    assert not torch.equal(again.quantized, output.quantized), "another batch, other noise"
    for one in (noisy.requires_grad_(False)(z), noisy.requires_grad_(True).eval()(z)):
        assert torch.equal(one.quantized, expected.quantized)
    (wanted,) = torch.autograd.grad(expected.quantized.sum(), z)
    torch.testing.assert_close(torch.autograd.grad(output.quantized.sum(), z)[0], wanted)


def test_a_resumed_run_has_the_same_noise() -> None:
    torch.manual_seed(0)
    first, second = FSQ([5, 4], 2, noise=0.5), FSQ([5, 4], 2, noise=0.5)
    assert first.state_dict().keys() == {"noise_step"}
    z = torch.randn(100, 2)
    assert not torch.equal(first(z).quantized, second(z).quantized), "another model, other noise"
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(z).quantized, second(z).quantized)


def test_codes_that_no_table_holds_train() -> None:
    """[4] * 16: 2^32 codes. A linear map through them learns what it is given."""
    torch.manual_seed(0)
    target = torch.randn(64, 8)
    encoder, decoder = torch.nn.Linear(8, 16), torch.nn.Linear(16, 8)
    quantizer = FSQ([4] * 16, 16)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.02)
    errors: list[float] = []
    for _ in range(60):
        output = quantizer(encoder(target))
        error = (decoder(output.quantized) - target).square().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(error.item())
    assert quantizer.codebook_sizes == (2**32,)
    assert output.indices.max().item() > 2**31
    assert errors[-1] < 0.3 * errors[0]
    assert output.metrics["codes_used"].item() == 64
    assert torch.equal(quantizer.decode(output.indices), output.quantized)


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"cells": "square"}, "cells"),
        ({"activation": "relu"}, "activation"),
        ({"activation": "sigmoid"}, "activation"),
        ({"cells": "symmetric", "activation": "normal_cdf"}, "activation"),
        ({"noise": 1.5}, "noise"),
        ({"cells": "equal", "levels": [2, 1]}, "levels"),
    ],
)
def test_only_what_fits_goes_together(options: dict[str, Any], option: str) -> None:
    with pytest.raises(OptionError) as error:
        FSQ(**({"levels": [5, 4], "embedding_dim": 2} | options))
    assert error.value.option == option
