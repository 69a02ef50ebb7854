"""Networks of which each of two ranks holds a share (whole trainings: tests/runs/test_fsdp.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ganvas.functional.sharding import gathered, is_sharded, own_share, shared_like, unsharded


def test_without_shares_nothing_happens() -> None:
    network, value = nn.Linear(2, 3), torch.randn(3)
    with unsharded(network):
        assert network(torch.ones(1, 2)).shape == (1, 3)
    assert not is_sharded(value)
    assert not is_sharded(None)
    assert own_share(value) is value
    assert gathered({"a": [value, 1], "b": "text"}) == {"a": [value, 1], "b": "text"}
    assert shared_like(value, network.bias) is value


def test_two_ranks(two_ranks: Callable[[str], list[Any]]) -> None:
    results = two_ranks("""
        from torch import nn
        from torch.distributed.fsdp import FSDPModule
        from ganvas.functional import sharding
        from ganvas.functional.gradients import clip_gradients, norm_over_ranks

        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 3))
        weights = {name: value.clone() for name, value in network.state_dict().items()}
        sharding.UNIT = 16  # the last layer's 18 parameters are a unit, the first one's 15 are not
        sharding.shard(network, torch.device("cpu"))
        units = [isinstance(module, FSDPModule) for module in network]
        own = [sharding.own_share(value).shape[0] for value in network.parameters()]
        x = torch.arange(8.0).view(4, 2)
        with sharding.unsharded(network):
            # the first rank runs it twice, and the other one not at all
            alone = [network(x).detach() for _ in range(2 - 2 * rank)]
        network(x[2 * rank : 2 * rank + 2]).square().mean().backward()
        norm = norm_over_ranks([p.grad for p in network.parameters() if p.grad is not None])
        gradients = sharding.gathered({n: p.grad for n, p in network.named_parameters()})
        clip_gradients(network.parameters(), 0.5, norm)
        clipped = norm_over_ranks([p.grad for p in network.parameters() if p.grad is not None])
        state = sharding.gathered(dict(network.state_dict()))
        back = sharding.shared_like(weights["2.weight"], network[2].weight)
        first, last = network[0].weight, network[2].weight
        result = {
            "units": units, "own": own, "alone": alone, "norm": norm, "clipped": clipped, "state": state,
            "gradients": gradients, "weights": weights, "same": torch.equal(back.to_local(), last.to_local()),
            "plain": [sharding.is_sharded(value) for value in (first, first.grad, norm)],
        }
    """)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 3))
    x = torch.arange(8.0).view(4, 2)
    network(x).square().mean().backward()
    norm = torch.nn.utils.get_total_norm([value.grad for value in network.parameters()])
    for rank, result in enumerate(results):
        assert result["units"] == [False, False, True]
        assert result["own"] == [[3, 3, 2, 2], [2, 2, 1, 1]][rank]
        assert result["plain"] == [True, True, False]
        for name, value in network.named_parameters():
            torch.testing.assert_close(result["gradients"][name], value.grad)
            assert torch.equal(result["state"][name], result["weights"][name])
        torch.testing.assert_close(result["norm"], norm)
        assert norm > 0.5
        torch.testing.assert_close(result["clipped"], torch.tensor(0.5), rtol=1e-4, atol=0)
        assert result["same"]
    for output in results[0]["alone"]:
        torch.testing.assert_close(output, network(x).detach())
    assert len(results[0]["alone"]) == 2
