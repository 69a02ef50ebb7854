from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from ganvas.model.layers.spectral_norm import SpectralNorm, spectral_norm


def test_a_diagonal_weight() -> None:
    """diag(3, 1) becomes diag(1, 1/3)."""
    layer = nn.Linear(2, 2, bias=False)
    layer.weight.data = torch.diag(torch.tensor([3.0, 1.0]))
    torch.manual_seed(0)
    spectral_norm(layer)
    torch.testing.assert_close(layer.weight, torch.diag(torch.tensor([1.0, 1 / 3])))


@pytest.mark.parametrize(
    "layer",
    [
        nn.Linear(5, 7),
        nn.Conv2d(3, 6, 3),
        nn.ConvTranspose2d(3, 6, 3),
        nn.Embedding(9, 4),
        nn.Conv1d(4, 3, 5),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_the_largest_singular_value_becomes_one(layer: nn.Module) -> None:
    """Of the matrix of outputs by all else, as torch's own normalization has it."""
    torch.manual_seed(0)
    peer = nn.utils.parametrizations.spectral_norm(copy.deepcopy(layer), n_power_iterations=1)
    spectral_norm(layer)
    for _ in range(200):
        layer.weight, peer.weight  # noqa: B018  # an iteration each
    weight = layer.weight.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else layer.weight
    assert torch.linalg.matrix_norm(weight.flatten(1), ord=2).item() == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(layer.weight, peer.weight, rtol=1e-4, atol=1e-6)


def test_one_iteration_a_step_whatever_the_number_of_passes() -> None:
    torch.manual_seed(0)
    layer = spectral_norm(nn.Linear(6, 5))
    layer.weight = torch.randn(5, 6)  # the vectors are far from this one's
    norm = layer.parametrizations.weight[0]
    assert isinstance(norm, SpectralNorm)
    plain = copy.deepcopy(layer)
    norm.begin_step()
    first = layer.weight.clone()
    assert torch.equal(first, plain.weight), "the pass after begin_step iterates as any other does"
    for _ in range(3):
        assert torch.equal(layer.weight, first)
    norm.begin_step()
    assert torch.equal(layer.weight, plain.weight)
    assert not torch.equal(layer.weight, first)
    norm.end_steps()
    before = norm.u.clone()
    layer.weight = torch.randn(5, 6)
    layer.weight  # noqa: B018
    assert not torch.equal(norm.u, before)


def test_it_rests_in_eval_mode() -> None:
    torch.manual_seed(0)
    layer = spectral_norm(nn.Linear(6, 5)).eval()
    layer.weight = torch.randn(5, 6)  # the vectors are far from this one's
    assert torch.equal(layer.weight, layer.weight)
    assert {name.rpartition(".")[2] for name, _ in layer.named_buffers()} == {"u", "v"}


def test_the_gradient_is_that_of_the_quotient() -> None:
    """d(W / (u' W v)): G/s - <G, W> u v' / s^2, with the vectors held fixed (Miyato 2018, equation 12)."""
    torch.manual_seed(0)
    layer = spectral_norm(nn.Linear(4, 3, bias=False).double()).eval()
    norm, raw = layer.parametrizations.weight[0], layer.parametrizations.weight.original
    upstream = torch.randn(3, 4, dtype=torch.float64)
    (layer.weight * upstream).sum().backward()
    sigma = norm.u @ raw @ norm.v
    expected = upstream / sigma - (upstream * raw).sum() * torch.outer(norm.u, norm.v) / sigma**2
    torch.testing.assert_close(raw.grad, expected.detach())


def test_a_graph_is_not_disturbed_by_the_next_iteration() -> None:
    torch.manual_seed(0)
    layer = spectral_norm(nn.Linear(6, 5))
    loss = layer(torch.randn(2, 6)).square().sum()
    layer.weight  # noqa: B018  # the vectors move before the gradient is asked for
    loss.backward()
    assert layer.parametrizations.weight.original.grad.isfinite().all()
