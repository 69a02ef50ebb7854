"""BatchNorm's statistics for weights that no batch has trained, such as an average of weights."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def tracked_batch_norms(network: nn.Module) -> dict[str, _BatchNorm]:
    """The layers of ``network`` that normalize by running statistics outside training, by name."""
    return {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, _BatchNorm) and module.running_mean is not None
    }


@torch.no_grad()
def fit_batch_statistics(network: nn.Module, inputs: Iterable[tuple[Any, ...]]) -> dict[str, Tensor]:
    """What each BatchNorm would have as running statistics had it seen these batches with these weights.

    Statistics that were gathered while weights trained fit the trained weights, not their average (Izmailov
    2018, arXiv:1803.05407, section 3.2). A batch is normalized by its own statistics, as in training; the
    result is the mean over the batches of mean and unbiased variance. The network is left as it was, and
    ranks are not asked, so that one alone may call.

    Args:
        network: in eval mode, so that nothing but BatchNorm behaves as in training.
        inputs: the network's arguments, a tuple a batch.

    Returns:
        ``<layer>.running_mean`` and ``<layer>.running_var``, [C] each, as ``torch.func.functional_call``
        takes them; nothing where there is no BatchNorm.
    """
    fits = {name: _Fit(layer) for name, layer in tracked_batch_norms(network).items()}
    with ExitStack() as stack:
        for fit in fits.values():
            stack.callback(fit.end)
        for arguments in inputs if fits else ():
            network(*arguments)
    return {
        f"{name}.{buffer}": value
        for name, fit in fits.items()
        if fit.batches
        for buffer, value in (("running_mean", fit.mean), ("running_var", fit.variance))
    }


class _Fit:
    """Gives one layer, before each forward pass, the statistics of what it is about to normalize."""

    def __init__(self, layer: Any) -> None:
        self.batches = 0
        self._layer, self._own = layer, (layer.running_mean, layer.running_var)
        self.mean, self.variance = (torch.zeros_like(one) for one in self._own)  # over the batches; unbiased
        self._hook = layer.register_forward_pre_hook(self._before)

    def _before(self, layer: Any, arguments: tuple[Tensor, ...]) -> None:
        x = arguments[0].to(self._own[0].dtype)  # [B, C, ...]
        variance, mean = torch.var_mean(x, [0, *range(2, x.ndim)], correction=0)  # [C] each
        count = x.numel() // x.shape[1]
        layer.running_mean, layer.running_var = mean, variance  # outside training, it normalizes by these
        self.batches += 1
        self.mean.lerp_(mean, 1 / self.batches)
        self.variance.lerp_(variance * (count / max(count - 1, 1)), 1 / self.batches)

    def end(self) -> None:
        """Leaves the layer as it was."""
        self._hook.remove()
        self._layer.running_mean, self._layer.running_var = self._own
