"""Fitted statistics against torch's own update_bn, which a network in training mode goes through."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim.swa_utils import update_bn

from ganvas.model.batch_statistics import fit_batch_statistics, tracked_batch_norms


class Doubled(nn.BatchNorm2d):
    """A layer of a user's own on BatchNorm."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


def make() -> nn.Module:
    torch.manual_seed(0)
    network = nn.Sequential(
        *(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 4, 3), Doubled(4, eps=0.1)),
        *(nn.Dropout(0.5), nn.Flatten(), nn.Linear(16, 5), nn.BatchNorm1d(5, affine=False), nn.Tanh()),
    )
    for parameter in network.parameters():
        nn.init.normal_(parameter, 0.3, 1.0)
    return network.eval()


def batches() -> list[Tensor]:
    torch.manual_seed(1)
    return [torch.randn(7, 2, 6, 6) * (number + 1) + number for number in range(3)]


def expected(network: nn.Module) -> dict[str, Tensor]:
    """By torch: in training mode, and dropout out of the way, with the mean over the batches."""
    reference = copy.deepcopy(network)
    for module in reference.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    update_bn(batches(), reference)
    return {name: value for name, value in reference.state_dict().items() if "running" in name}


def test_they_are_those_of_torchs_update_bn() -> None:
    network = make()
    fitted = fit_batch_statistics(network, [(x,) for x in batches()])
    wanted = expected(network)
    assert fitted.keys() == wanted.keys()
    assert len(fitted) == 6
    for name, value in wanted.items():
        torch.testing.assert_close(fitted[name], value, rtol=1e-5, atol=1e-6)
        assert not torch.allclose(value, network.state_dict()[name], atol=0.1), "nothing was to be seen"


def test_a_network_is_left_as_it_was_and_nothing_random_is_drawn() -> None:
    network = make()
    before, tensors = copy.deepcopy(network.state_dict()), list(network.buffers())
    inputs = [(x,) for x in batches()]
    stream = torch.get_rng_state()
    fit_batch_statistics(network, inputs)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(a is b for a, b in zip(network.buffers(), tensors, strict=True))
    assert not any(module.training or module._forward_pre_hooks for module in network.modules())
    assert torch.equal(torch.get_rng_state(), stream)


def test_a_network_is_left_as_it_was_where_a_batch_fails() -> None:
    network = make()
    before = copy.deepcopy(network.state_dict())
    with pytest.raises(RuntimeError):
        fit_batch_statistics(network, [(batches()[0],), (torch.zeros(7, 2, 9, 9),)])
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_pre_hooks for module in network.modules())


def test_with_them_a_batch_is_normalized_as_in_training() -> None:
    network, (x, *_) = make(), batches()
    fitted = fit_batch_statistics(network, [(x,)])
    first = functional_call(network[:2], {name: value for name, value in fitted.items() if name[0] == "1"}, x)
    spread = first.var((0, 2, 3), correction=1) / network[1].weight.square()  # [C]
    torch.testing.assert_close(spread, torch.ones(3), rtol=1e-3, atol=0)
    torch.testing.assert_close(first.mean((0, 2, 3)), network[1].bias, rtol=1e-4, atol=1e-4)


def test_without_batch_norm_there_are_none_and_nothing_is_run() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2, track_running_stats=False))
    assert not tracked_batch_norms(network)

    def unread() -> Any:
        pytest.fail("a batch was asked for")
        yield

    assert fit_batch_statistics(network.eval(), unread()) == {}


def test_a_layer_that_runs_twice_counts_both() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.unused = nn.BatchNorm1d(1), nn.BatchNorm1d(1)

        def forward(self, x: Tensor) -> Tensor:
            return self.norm(self.norm(x) + 4)

    network = Twice().eval()
    fitted = fit_batch_statistics(network, [(torch.tensor([[1.0], [3.0]]),)])
    assert set(fitted) == {"norm.running_mean", "norm.running_var"}
    assert fitted["norm.running_mean"].item() == pytest.approx((2 + 4) / 2)
    assert fitted["norm.running_var"].item() == pytest.approx((2 + 2) / 2, rel=1e-4)


@pytest.mark.slow
def test_one_rank_alone_may_ask(two_ranks: Callable[[str], list[Any]]) -> None:
    """Layers that ranks share in training wait for nobody; both get what one process gets."""
    results = two_ranks(
        f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_batch_statistics import batches, make
        from ganvas.model.batch_statistics import fit_batch_statistics
        from ganvas.model.synced_batch_norm import sync_batch_norms

        network = make()
        sync_batch_norms(network)
        result = fit_batch_statistics(network, [(x,) for x in batches()]) if rank == 0 else {{}}
        """
    )
    wanted = expected(make())
    assert results[0].keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(results[0][name], value, rtol=1e-5, atol=1e-6)
