"""Gradients of a function of samples with respect to them, to be differentiated again; norms of gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor


def input_gradient(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """d function(x)_i / d x_i for samples x [B, ...] and values [B], as float32 [B, -1] with a graph.

    The sum over the batch is differentiated, so each sample's value must read that sample alone
    (batch normalization breaks this).
    """
    x = x.detach().requires_grad_(True)
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(function(x).sum(), x, create_graph=True)
    return gradient.flatten(1).float()


def mean_squared_gradient(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """E |grad function(x)|^2: the sum over a sample's elements, the mean over the batch; a scalar."""
    return input_gradient(function, x).square().sum(1).mean()


def gradient_norm(parameters: Iterable[Tensor]) -> Tensor:
    """Euclidean norm of the gradients of all parameters together, a scalar; 0 where there are none.

    torch.nn.utils.get_total_norm to the bit, without its sorting by device and type, which takes a third of
    its time for a few small tensors.
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not gradients:
        return torch.zeros(())
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
