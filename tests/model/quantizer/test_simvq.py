from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.quantizer.simvq import SimVQ


def _made(**options: Any) -> SimVQ:
    torch.manual_seed(0)
    return SimVQ(7, 3, **options)


@pytest.mark.parametrize("training", [False, True])
def test_loss_and_gradients_are_those_of_a_product(training: bool) -> None:
    quantizer = _made(commitment_cost=0.6).train(training)
    frozen = quantizer.frozen_codes.clone()
    weight = quantizer.transform.weight.detach().clone().requires_grad_(True)
    z, upstream = torch.randn(20, 3, requires_grad=True), torch.randn(20, 3)
    codes = frozen @ weight.T  # e_k = W c_k
    index = (z[:, None] - codes[None]).square().sum(2).argmin(1)
    loss = (codes[index] - z.detach()).square().mean() + 0.6 * (z - codes[index].detach()).square().mean()
    by_z, by_weight = torch.autograd.grad(loss, (z, weight))

    leaf = z.detach().clone().requires_grad_(True)
    output = quantizer(leaf)
    assert torch.equal(output.indices[:, 0], index)
    torch.testing.assert_close(output.quantized, codes[index])
    torch.testing.assert_close(output.loss, loss)
    for name in ("codebook_loss", "commitment_loss"):
        torch.testing.assert_close(output.metrics[name], (codes[index] - z).square().mean().detach())
    (output.loss + (output.quantized * upstream).sum()).backward()
    torch.testing.assert_close(leaf.grad, by_z + upstream)
    torch.testing.assert_close(quantizer.transform.weight.grad, by_weight)
    assert not quantizer.frozen_codes.requires_grad


def test_one_step_of_one_vector_moves_all_codes() -> None:
    quantizer = _made()
    before = quantizer.decode(torch.arange(7)[:, None]).detach()
    quantizer(torch.randn(1, 3)).loss.backward()
    torch.optim.SGD(quantizer.parameters(), lr=0.1).step()
    after = quantizer.decode(torch.arange(7)[:, None]).detach()
    assert (after - before).abs().sum(1).min().item() > 0


def test_the_frozen_codes_have_the_methods_scale() -> None:
    torch.manual_seed(0)
    quantizer = SimVQ(2000, 64)
    assert quantizer.frozen_codes.std().item() == pytest.approx(64**-0.5, rel=0.01)
    assert sum(p.numel() for p in quantizer.parameters()) == 64 * 64
    assert quantizer.state_dict().keys() == {"frozen_codes", "transform.weight"}


def test_rotation_is_a_choice() -> None:
    z = torch.randn(6, 3)
    gradients = []
    for gradient in ("straight_through", "rotation"):
        leaf, quantizer = z.clone().requires_grad_(True), _made(gradient=gradient)
        output = quantizer(leaf)
        assert torch.equal(output.quantized, quantizer.decode(output.indices))
        output.quantized[:, 0].sum().backward()
        gradients.append(leaf.grad)
    code, own = quantizer.decode(output.indices).norm(dim=1), z.norm(dim=1)
    torch.testing.assert_close(gradients[1].norm(dim=1), code / own)
    torch.testing.assert_close(gradients[0], torch.tensor([1.0, 0, 0]).expand(6, 3))


_TWO_RANKS = """
    from ganvas.model.quantizer.simvq import SimVQ

    torch.manual_seed(0)
    quantizer = SimVQ(9, 3)
    optimizer = torch.optim.SGD(quantizer.parameters(), lr=1.0)
    for _ in range(6):
        z = torch.randn(16, 3)
        output = quantizer(z[8 * rank : 8 * rank + 8])
        optimizer.zero_grad()
        output.loss.backward()
        dist.all_reduce(quantizer.transform.weight.grad)
        quantizer.transform.weight.grad /= 2
        optimizer.step()
    result = {"state": quantizer.state_dict(), "metrics": output.metrics}
"""


def test_two_ranks_are_one_process_on_the_joint_batch(two_ranks: Callable[[str], list[Any]]) -> None:
    results = two_ranks(_TWO_RANKS)
    torch.manual_seed(0)
    quantizer = SimVQ(9, 3)
    optimizer = torch.optim.SGD(quantizer.parameters(), lr=1.0)
    for _ in range(6):
        output = quantizer(torch.randn(16, 3))
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
    for result in results:
        torch.testing.assert_close(result["state"], dict(quantizer.state_dict()))
        for name in ("perplexity", "codes_used"):
            torch.testing.assert_close(result["metrics"][name], output.metrics[name])


@pytest.mark.parametrize(
    ("option", "value"),
    [("num_embeddings", 1), ("embedding_dim", 0), ("commitment_cost", -0.1), ("gradient", "diveq")],
)
def test_options_are_checked(option: str, value: object) -> None:
    with pytest.raises(OptionError) as error:
        SimVQ(**{option: value})
    assert error.value.option == option
