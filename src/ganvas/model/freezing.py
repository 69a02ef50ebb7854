"""Layers of a network in the order in which samples pass, of which the first may be kept from moving."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

_NORMS = (_BatchNorm, nn.GroupNorm, nn.LayerNorm, nn.modules.instancenorm._InstanceNorm)


def layers_from_input(network: nn.Module) -> list[list[nn.Module]]:
    """The network's layers or blocks, the one that samples meet first at the front; each a list of modules.

    What the network says itself (``layers_from_input``, modules in this order), or its children in the order
    in which they were set, those of containers in their place. What has no parameters is left out, and a
    normalization belongs to the layer before it.
    """
    modules: Sequence[nn.Module] | Iterator[nn.Module] = getattr(
        network, "layers_from_input", None
    ) or _opened(network)
    layers: list[list[nn.Module]] = []
    for module in modules:
        if next(module.parameters(), None) is None:
            continue
        if isinstance(module, _NORMS) and layers:
            layers[-1].append(module)
        else:
            layers.append([module])
    return layers


def _opened(network: nn.Module) -> Iterator[nn.Module]:
    for child in network.children():
        if isinstance(child, nn.Sequential | nn.ModuleList):
            yield from _opened(child)
        else:
            yield child


def hold(modules: Sequence[nn.Module]) -> None:
    """Puts the modules into eval mode and takes their parameters out of training.

    So neither weights nor what forward passes change of a layer moves: statistics of batches, the vectors of
    spectral norms.
    """
    for module in modules:
        module.eval().requires_grad_(False)
