"""Copies of the tensors that forward passes change, so that a step can be undone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn


class BufferSnapshot:
    """What forward passes in training change of some tensors, as it was when it was last taken.

    Args:
        places: (module, name of its buffer or parameter); a buffer may be replaced by one of its shape.
    """

    def __init__(self, places: Iterable[tuple[nn.Module, str]]) -> None:
        self._places = list(places)
        self._copies = [tensor.detach().clone() for tensor in self._tensors()]
        modules = dict.fromkeys(module for module, _ in self._places)
        self._quantizers: list[Any] = [module for module in modules if hasattr(module, "has_started")]
        self._had_started = [False] * len(self._quantizers)

    def take(self) -> None:
        """Copies the tensors as they are now."""
        self._had_started = [bool(one.has_started) for one in self._quantizers]
        if self._places:
            with torch.no_grad():
                torch._foreach_copy_(self._copies, self._tensors())

    def restore(self) -> None:
        """Makes the tensors what they were at the last :meth:`take`."""
        for quantizer, started in zip(self._quantizers, self._had_started, strict=True):
            quantizer.has_started = started
        if self._places:
            tensors = self._tensors()
            # A graph that has yet to be differentiated may hold them. What is computed in training reads none
            # of them again, so that they may change under it.
            with torch.no_grad(), torch.autograd._unsafe_preserve_version_counter(tuple(tensors)):
                torch._foreach_copy_(tensors, self._copies)

    def restore_unless(self, holds: Tensor) -> None:
        """:meth:`restore` where a bool scalar on their device is false; the host does not look at it.

        Where it learns of it, :meth:`ask_quantizers` is due.
        """
        tensors = self._tensors()
        with torch.no_grad(), torch.autograd._unsafe_preserve_version_counter(tuple(tensors)):
            # Flat, by a few kernels for each type: networks have dozens of small buffers.
            for kind in dict.fromkeys(tensor.dtype for tensor in tensors):
                pairs = [
                    (now, old) for now, old in zip(tensors, self._copies, strict=True) if now.dtype == kind
                ]
                now, old = (torch.cat([one.reshape(-1) for one in side]) for side in zip(*pairs, strict=True))
                parts = torch.where(holds, now, old).split([one.numel() for one, _ in pairs])
                values = [part.view_as(one) for part, (one, _) in zip(parts, pairs, strict=True)]
                torch._foreach_copy_([one for one, _ in pairs], values)

    def ask_quantizers(self) -> None:
        """Lets quantizers look again whether their codes have been made from data."""
        for quantizer in self._quantizers:
            quantizer.has_started = False

    def _tensors(self) -> list[Tensor]:
        return [getattr(module, name) for module, name in self._places]


def updates_itself(module: nn.Module) -> bool:
    """Whether a module's forward pass in training sets its own parameters and buffers, alike on all ranks.

    Quantizers say so (``updates_itself``): their codes start from the data, and idle ones restart.
    """
    return bool(getattr(module, "updates_itself", False))


def tensors_changed_by_forward(network: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    """What forward passes in training change, as (module, name): buffers, and parameters of quantizers."""
    for module in network.modules():
        for name, _ in module.named_buffers(recurse=False):
            yield module, name
        if updates_itself(module):
            for part in module.modules():
                for name, _ in part.named_parameters(recurse=False):
                    yield part, name


def running_statistics(network: nn.Module) -> Iterator[Tensor]:
    """Floating buffers of which each rank has its own, as BatchNorm's running mean and variance are.

    Not those of layers in eval mode, which nothing changes, nor a buffer that no checkpoint holds: it is a
    constant, and a mean of equal numbers may be rounded away from them.
    """
    if updates_itself(network):
        return
    constants = network._non_persistent_buffers_set
    for name, buffer in network.named_buffers(recurse=False) if network.training else ():
        if buffer.is_floating_point() and name not in constants:
            yield buffer
    for child in network.children():
        yield from running_statistics(child)
