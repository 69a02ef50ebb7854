from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from ganvas.errors import OptionError
from ganvas.model.quantizer.cosine import CosineQuantizer


def _started(**options: Any) -> CosineQuantizer:
    torch.manual_seed(0)
    quantizer = CosineQuantizer(7, 5, **({"code_dim": 3} | options))
    quantizer.set_codes(3 * torch.randn(7, quantizer.code_dim))
    return quantizer


def _unit(rows: Tensor) -> Tensor:
    return rows / rows.norm(dim=1, keepdim=True)


def _layer(weight: Tensor, bias: Tensor, rows: Tensor) -> Tensor:
    return rows @ weight.T + bias


@pytest.mark.parametrize("training", [False, True])
def test_it_is_its_definition(training: bool) -> None:
    quantizer = _started(commitment_cost=0.6).train(training)
    state = {
        name: value.detach().clone().requires_grad_(True) for name, value in quantizer.named_parameters()
    }
    z, upstream = torch.randn(20, 5), torch.randn(20, 5)
    leaf, other = z.clone().requires_grad_(True), z.clone().requires_grad_(True)

    u = _unit(_layer(state["project_in.weight"], state["project_in.bias"], other))
    codes = _unit(state["codebook"])
    index = (u @ codes.T).argmax(1)
    chosen = codes[index]
    straight = u + (chosen - u).detach()
    expected = _layer(state["project_out.weight"], state["project_out.bias"], straight)
    # one and the same u, of length 1, in the estimator and in both terms of the loss
    loss = (chosen - u.detach()).square().mean() + 0.6 * (u - chosen.detach()).square().mean()

    output = quantizer(leaf)
    assert torch.equal(output.indices[:, 0], index)
    torch.testing.assert_close(output.quantized, expected)
    torch.testing.assert_close(output.loss, loss)
    assert output.quantized.shape == z.shape
    (output.loss + (output.quantized * upstream).sum()).backward()
    (loss + (expected * upstream).sum()).backward()
    torch.testing.assert_close(leaf.grad, other.grad)
    for name, value in quantizer.named_parameters():
        torch.testing.assert_close(value.grad, state[name].grad, rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize("code_dim", [3, None])
def test_lengths_of_vectors_and_codes_change_nothing(code_dim: int | None) -> None:
    quantizer = _started(code_dim=code_dim)
    if quantizer.project_in is not None:
        with torch.no_grad():
            quantizer.project_in.bias.zero_()
    z = torch.randn(30, 5)
    before = quantizer.eval()(z)
    longer = quantizer(z * torch.rand(30, 1) * 40)
    assert torch.equal(before.indices, longer.indices)
    torch.testing.assert_close(before.loss, longer.loss)
    with torch.no_grad():
        quantizer.codebook.mul_(0.1 + 9 * torch.rand(7, 1))
    stretched = quantizer(z)
    torch.testing.assert_close(before.quantized, stretched.quantized)


def test_without_a_projection_codes_are_unit_vectors() -> None:
    quantizer = _started(code_dim=None)
    assert dict(quantizer.named_parameters()).keys() == {"codebook"}
    output = quantizer(torch.randn(9, 5))
    torch.testing.assert_close(output.quantized.norm(dim=1), torch.ones(9))
    assert quantizer.decode(output.indices).shape == (9, 5)


def test_parameters_in_numbers() -> None:
    count = sum(p.numel() for p in CosineQuantizer(512, 64, code_dim=8).parameters())
    assert count == 512 * 8 + (64 * 8 + 8) + (8 * 64 + 64)


@pytest.mark.parametrize("start", ["batch", "kmeans"])
def test_codes_start_at_directions_of_the_first_batch(start: str) -> None:
    torch.manual_seed(0)
    quantizer, z = CosineQuantizer(6, 5, code_dim=3, start=start), 30 * torch.randn(400, 5)
    output = quantizer(z)
    u = quantizer.inward(z).detach()
    assert (_unit(quantizer.codebook.detach()) @ u.T).amax(1).min().item() > 0.95
    assert output.metrics["codes_used"].item() == 6


def test_an_idle_code_restarts_at_a_direction() -> None:
    quantizer = _started(code_dim=None, restart_after=2)
    directions = torch.eye(5)[:2]
    quantizer.set_codes(torch.cat([directions[:1], -torch.ones(6, 5)]))
    z = directions.repeat(20, 1) * 7
    for _ in range(2):
        quantizer(z).loss.backward()
    assert torch.equal(quantizer.codebook[1:], directions[1:].expand(6, 5))
    assert quantizer(z).loss.item() == 0


def test_a_latent_of_zeros_is_finite() -> None:
    quantizer = _started(code_dim=None)
    z = torch.zeros(4, 5, requires_grad=True)
    output = quantizer(z)
    (output.loss + output.quantized.sum()).backward()
    assert output.quantized.isfinite().all()
    assert z.grad.isfinite().all()


@pytest.mark.parametrize("gradient", ["rotation", "diveq"])
def test_other_gradients_are_of_the_projected_vectors(gradient: str) -> None:
    quantizer = _started(gradient=gradient).eval()
    z = torch.randn(8, 5).requires_grad_(True)
    output = quantizer(z)
    torch.testing.assert_close(output.quantized, quantizer.decode(output.indices))
    output.quantized.sum().backward()
    assert z.grad.abs().sum(1).min().item() > 0
    moves = quantizer.codebook.grad is not None and bool(quantizer.codebook.grad.any())
    assert moves == (gradient == "diveq")


_TRAIN = """
    from ganvas.model.quantizer.cosine import CosineQuantizer

    torch.manual_seed(0)
    quantizer = CosineQuantizer(9, 3, code_dim=2, restart_after=2, entropy_cost=0.1, entropy_temperature=1.0)
    optimizer = torch.optim.SGD(quantizer.parameters(), lr=0.5)
    for _ in range(6):
        z = torch.randn(16, 3)
        output = quantizer(z[8 * rank : 8 * rank + 8])
        optimizer.zero_grad()
        (output.loss + output.quantized.square().mean()).backward()
        for parameter in quantizer.parameters():
            dist.all_reduce(parameter.grad)
            parameter.grad /= 2
        optimizer.step()
    result = {"state": quantizer.state_dict(), "metrics": output.metrics}
"""


def test_two_ranks_are_one_process_on_the_joint_batch(two_ranks: Callable[[str], list[Any]]) -> None:
    results = two_ranks(_TRAIN)
    torch.manual_seed(0)
    quantizer = CosineQuantizer(9, 3, code_dim=2, restart_after=2, entropy_cost=0.1, entropy_temperature=1.0)
    optimizer = torch.optim.SGD(quantizer.parameters(), lr=0.5)
    for _ in range(6):
        output = quantizer(torch.randn(16, 3))
        optimizer.zero_grad()
        (output.loss + output.quantized.square().mean()).backward()
        optimizer.step()
    for result in results:
        torch.testing.assert_close(result["state"], dict(quantizer.state_dict()), rtol=1e-4, atol=1e-5)
        for name in ("perplexity", "codes_used"):
            torch.testing.assert_close(result["metrics"][name], output.metrics[name])


def test_frozen_projections_stay() -> None:
    quantizer = _started().requires_grad_(False)
    before = copy.deepcopy(quantizer.state_dict())
    z = torch.randn(9, 5, requires_grad=True)
    output = quantizer(z)
    (output.loss + output.quantized.sum()).backward()
    assert z.grad.any()
    assert all(torch.equal(value, before[name]) for name, value in quantizer.state_dict().items())


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"code_dim": 1}, r"^code_dim=1: must be at least 2"),
        ({"code_dim": None, "embedding_dim": 1}, r"^code_dim=1: must be at least 2"),
        ({"embedding_dim": 0}, r"^embedding_dim=0: must be at least 1"),
        ({"num_embeddings": 1}, r"^num_embeddings=1: must be at least 2"),
        ({"entropy_cost": -1.0}, r"^entropy_cost=-1.0: "),
        ({"gradient": "gumbel"}, r"^gradient=gumbel: must be one of"),
    ],
)
def test_options_are_checked(options: dict[str, Any], text: str) -> None:
    with pytest.raises(OptionError, match=text):
        CosineQuantizer(**options)
