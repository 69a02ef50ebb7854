"""Networks of which every rank holds a share (torch's FSDP2): parameters, gradients, optimizer state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from ganvas.functional.distributed import world_size

UNIT = 2**20  # parameters; a layer with so many is gathered, used and let go by itself


def shard(network: nn.Module, device: torch.device) -> None:
    """Cuts the network's parameters into shares, in place; its buffers stay whole on every rank.

    A forward or backward pass gathers one unit at a time: each layer of at least UNIT parameters of its own,
    and all the rest of the network. Every rank must run the same passes in the same order.
    """
    mesh = init_device_mesh(device.type, (world_size(),))
    inner = [module for module in network.modules() if module is not network]
    for module in reversed(inner):  # children before parents
        if sum(parameter.numel() for parameter in module.parameters(recurse=False)) >= UNIT:
            fully_shard(module, mesh=mesh, reshard_after_forward=True)
    fully_shard(network, mesh=mesh, reshard_after_forward=True)


@contextmanager
def unsharded(module: nn.Module) -> Iterator[None]:
    """Inside, each rank holds all of every network within ``module``, so that one rank alone may run it.

    Every rank must enter, and none may train inside. Does nothing where nothing is sharded.
    """
    units = [one for one in module.modules() if isinstance(one, FSDPModule)]
    for unit in units:
        unit.set_reshard_after_forward(False, recurse=False)
        unit.unshard()
    try:
        yield
    finally:
        for unit in units:
            unit.set_reshard_after_forward(True, recurse=False)
            unit.reshard()


def is_sharded(tensor: Tensor | None) -> bool:
    """Whether a tensor is this rank's share of one."""
    return isinstance(tensor, DTensor)


def own_share(tensor: Tensor) -> Tensor:
    """This rank's rows of a sharded tensor, which share its memory; any other tensor itself."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def gathered(tree: Any) -> Any:
    """A tree of dictionaries and lists with every sharded tensor put together; every rank must call it."""
    if isinstance(tree, DTensor):
        return tree.full_tensor()
    if isinstance(tree, dict):
        return {key: gathered(value) for key, value in tree.items()}
    return [gathered(value) for value in tree] if isinstance(tree, list) else tree


def shared_like(tensor: Tensor, parameter: Tensor) -> Tensor:
    """A whole tensor, the same on all ranks, cut as ``parameter`` is where it has its shape."""
    if not isinstance(parameter, DTensor) or tensor.shape != parameter.shape:
        return tensor
    whole_tensor = tensor.to(parameter.device)
    return distribute_tensor(whole_tensor, parameter.device_mesh, parameter.placements)
