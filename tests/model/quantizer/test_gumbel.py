from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor

from ganvas.errors import OptionError
from ganvas.functional import chunks
from ganvas.functional.schedule import Schedule
from ganvas.model.quantizer.gumbel import GumbelQuantizer


def _logits(quantizer: GumbelQuantizer, rows: Tensor) -> Tensor:
    return rows @ quantizer.logits.weight.T + quantizer.logits.bias


def test_codes_are_drawn_by_their_probabilities() -> None:
    torch.manual_seed(0)
    quantizer = GumbelQuantizer(5, 3)
    row = torch.randn(1, 3)
    output = quantizer(row.expand(40_000, 3))
    share = output.indices.flatten().bincount(minlength=5) / 40_000
    p = _logits(quantizer, row).softmax(1)[0]
    assert (share - p).abs().max() < 4 * 0.5 / math.sqrt(40_000)
    assert torch.equal(output.quantized, quantizer.decode(output.indices))
    again = quantizer(row.expand(40_000, 3)).indices
    agree = (again == output.indices).float().mean()  # another batch, other draws
    assert agree.item() == pytest.approx(p.square().sum().item(), abs=0.02)


def test_the_loss_is_the_divergence_from_equal_use() -> None:
    quantizer = GumbelQuantizer(6, 3, kl_cost=0.7).double()
    z = torch.randn(9, 3, dtype=torch.float64)
    p = _logits(quantizer, z).softmax(1)
    kl = (p * (p * 6).log()).sum(1).mean()
    output = quantizer(z)
    torch.testing.assert_close(output.loss, 0.7 * kl)
    torch.testing.assert_close(output.metrics["kl_loss"], kl.detach())
    with torch.no_grad():
        quantizer.logits.weight.zero_()
        quantizer.logits.bias.zero_()
    assert quantizer(z).loss.item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("numbers", [2**20, 14])
@pytest.mark.parametrize("hard", [False, True])
def test_the_gradient_is_that_of_the_softmax(
    hard: bool, numbers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "_CPU_NUMBERS", numbers)  # 14: two vectors at a time
    torch.manual_seed(0)
    quantizer = GumbelQuantizer(7, 3, temperature=0.6, hard=hard).double().eval()
    z = torch.randn(9, 3, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(9, 3, dtype=torch.float64)
    leaves = [z, quantizer.codebook, *quantizer.logits.parameters()]
    noise = torch.zeros(9, 7, dtype=torch.float64)
    for training in (False, True):
        if training:
            noise = _noise(quantizer.train())
        output = quantizer(z)
        y = ((_logits(quantizer, z) + noise) / 0.6).softmax(1)
        index = (_logits(quantizer, z) + noise).argmax(1)
        assert torch.equal(output.indices[:, 0], index)
        one = torch.nn.functional.one_hot(index, 7).double()
        weights = y if training and not hard else one - y.detach() + y
        # a code gets the gradient of what is passed on of it
        q = weights @ quantizer.codebook
        torch.testing.assert_close(output.quantized, q)
        found = torch.autograd.grad(output.quantized, leaves, upstream)
        torch.testing.assert_close(found, torch.autograd.grad(q, leaves, upstream))


def _noise(quantizer: GumbelQuantizer) -> Tensor:
    """The next batch's g [9, 7], from how soft the codes of logits 0 are at temperature 1."""
    other = copy.deepcopy(quantizer)
    other.hard, other.temperature = False, 1.0
    other.codebook = torch.nn.Parameter(torch.eye(7, dtype=torch.float64))
    other.embedding_dim = 7
    other.logits = torch.nn.Linear(7, 7).double()
    torch.nn.init.zeros_(other.logits.weight)
    torch.nn.init.zeros_(other.logits.bias)
    y: Tensor = other(torch.zeros(9, 7, dtype=torch.float64)).quantized
    return y.detach().log()  # g but for a number of each row, which changes neither softmax nor argmax


def test_eval_mode_and_frozen_codes_take_the_likeliest() -> None:
    quantizer = GumbelQuantizer(6, 3)
    z = torch.randn(50, 3)
    expected = _logits(quantizer, z).argmax(1)
    assert torch.equal(quantizer.eval()(z).indices[:, 0], expected)
    assert not torch.equal(quantizer.train()(z).indices[:, 0], expected)
    quantizer.requires_grad_(False)
    assert torch.equal(quantizer(z).indices[:, 0], expected)
    around = torch.nn.Sequential(quantizer.requires_grad_(True)).requires_grad_(False)
    assert torch.equal(around[0](z).indices[:, 0], expected), "frozen from outside, by its parameters"


def test_the_noise_goes_on_from_a_checkpoint() -> None:
    torch.manual_seed(0)
    first, second = GumbelQuantizer(50, 3), GumbelQuantizer(50, 3)
    z = torch.randn(200, 3)
    first(z)
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(z).indices, second(z).indices)
    assert torch.equal(first(z).indices, second(z).indices)


class _Falling(Schedule):
    end, extremes = 100, (2.0, 0.5)

    def __call__(self, examples_seen: int) -> float:
        return max(0.5, 2.0 - 0.015 * examples_seen)


def test_the_temperature_may_fall() -> None:
    quantizer = GumbelQuantizer(6, 3, temperature=_Falling(), hard=False)
    other = copy.deepcopy(quantizer)
    quantizer.move_numbers(100)
    assert (other.temperature, quantizer.temperature) == (2.0, 0.5)
    z = torch.zeros(500, 3)
    # the same draws, nearer to one code
    with torch.no_grad():
        for one in (quantizer, other):
            one.codebook.copy_(torch.eye(6, 3))
    assert quantizer(z).quantized.amax(1).mean() > other(z).quantized.amax(1).mean() + 0.05


@pytest.mark.parametrize(
    ("option", "value"),
    [("num_embeddings", 1), ("embedding_dim", 0), ("temperature", 0.0), ("kl_cost", -1.0)],
)
def test_options_are_checked(option: str, value: float) -> None:
    with pytest.raises(OptionError) as error:
        GumbelQuantizer(**{option: value})  # type: ignore[arg-type]
    assert error.value.option == option
