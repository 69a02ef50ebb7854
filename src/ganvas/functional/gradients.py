"""Gradients of a function of samples with respect to them, to be differentiated again; norms of gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from ganvas.functional.distributed import sum_over_ranks
from ganvas.functional.patches import mean_of_samples
from ganvas.functional.precision import at_least_float32
from ganvas.functional.sharding import is_sharded, own_share


def input_gradient(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """d function(x)_i / d x_i for samples x [B, ...] and values [B]: [B, -1] with a graph, at least float32.

    Of values [B, ...], one a patch, a sample's is their mean. The sum over the batch is differentiated, so
    each sample's value must read that sample alone (batch normalization breaks this). Samples that are leaves
    and require gradients are handed on as they are, so that ``function`` may give values that it has made of
    them already.
    """
    if not (x.requires_grad and x.is_leaf):
        x = x.detach().requires_grad_(True)
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(mean_of_samples(function(x)).sum(), x, create_graph=True)
    return at_least_float32(gradient.flatten(1))


def mean_squared_gradient(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """E |grad function(x)|^2: the sum over a sample's elements, the mean over the batch; a scalar."""
    return input_gradient(function, x).square().sum(1).mean()


def norm_over_ranks(gradients: list[Tensor]) -> Tensor:
    """Euclidean norm of gradients together, a scalar; 0 where there are none.

    torch.nn.utils.get_total_norm to the bit, without its sorting by device and type, which takes a third of
    its time for a few small tensors. Sharded gradients count as a whole: every rank must call it.
    """
    shares = [own_share(gradient) for gradient in gradients if is_sharded(gradient)]
    if not shares:
        return _norm(gradients)
    whole = [gradient for gradient in gradients if not is_sharded(gradient)]
    return (sum_over_ranks(_norm(shares).square()) + _norm(whole).square()).sqrt()


def _norm(tensors: list[Tensor]) -> Tensor:
    if not tensors:
        return torch.zeros(())
    norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(tensors)))
    return norm


def clip_gradients(parameters: Iterable[Tensor], max_norm: float, norm: Tensor) -> None:
    """Scales gradients of the given norm down to ``max_norm``, in place; smaller ones stay as they are."""
    gradients = [own_share(parameter.grad) for parameter in parameters if parameter.grad is not None]
    if gradients:
        scale = (max_norm / (norm + 1e-6)).clamp(max=1.0)  # as torch.nn.utils.clip_grads_with_norm_ has it
        torch._foreach_mul_(gradients, scale.to(gradients[0].device))
