"""Inception-v3 (Szegedy 2015, arXiv:1512.00567) as FID's authors used it, from its published layer list.

Names and shapes of the tensors are those of the file pt_inception-2015-12-05-6726825d.pth. Where this network
differs from other Inceptions-v3: average pools do not count the padding, the last block pools by maximum, and
there are 1008 logits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, max_pool2d, relu
from torch.nn.utils.fusion import fuse_conv_bn_weights

from ganvas.metric.interface import Features

NUM_FEATURES, NUM_LOGITS = 2048, 1008


class Conv(NamedTuple):
    """A convolution without bias, BatchNorm, ReLU.

    Attributes:
        name: of the layer, within its block.
        width: channels that it makes.
        kernel: (height, width).
        stride: 2 halves the sides, without padding; else they stay as they are.
    """

    name: str
    width: int
    kernel: tuple[int, int]
    stride: int = 1


class Fork(NamedTuple):
    """Convolutions side by side."""

    ways: tuple[Conv, ...]


class Pool(NamedTuple):
    """A 3x3 pool: ``average`` (of what is not padding) or ``maximum``."""

    kind: str
    stride: int = 1


Path = list[Conv | Fork | Pool]


class Layer(nn.Module):
    """See :class:`Conv`."""

    def __init__(self, channels: int, conv: Conv, padding: tuple[int, int]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, conv.width, conv.kernel, conv.stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(conv.width, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        return relu(self.bn(self.conv(x)))

    def fold(self) -> None:
        """Moves the frozen BatchNorm into the convolution: the same map in fewer passes."""
        norm = self.bn
        assert norm.running_mean is not None
        assert norm.running_var is not None
        self.conv.weight, self.conv.bias = fuse_conv_bn_weights(
            self.conv.weight, None, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        self.bn = nn.Identity()  # type: ignore[assignment]  # folded into the convolution


class Block(nn.Module):
    """Paths from the same input, their outputs put together as channels."""

    def __init__(self, channels: int, paths: list[Path]) -> None:
        super().__init__()
        self.paths = paths
        self.width = 0
        for path in paths:
            width = channels
            for step in path:
                ways = step.ways if isinstance(step, Fork) else (step,) if isinstance(step, Conv) else ()
                for conv in ways:
                    self.add_module(conv.name, Layer(width, conv, _same(conv)))
                width = sum(conv.width for conv in ways) or width
            self.width += width

    def forward(self, x: Tensor) -> Tensor:
        made = []
        for path in self.paths:
            y = x
            for step in path:
                if isinstance(step, Pool):
                    y = _pool(y, step)
                else:
                    ways = step.ways if isinstance(step, Fork) else (step,)
                    y = torch.cat([self.get_submodule(conv.name)(y) for conv in ways], 1)
            made.append(y)
        return torch.cat(made, 1)


def _same(conv: Conv) -> tuple[int, int]:
    """Padding that leaves the sides as they are; none with a stride."""
    return (0, 0) if conv.stride > 1 else (conv.kernel[0] // 2, conv.kernel[1] // 2)


def _pool(x: Tensor, pool: Pool) -> Tensor:
    padding = 1 if pool.stride == 1 else 0
    if pool.kind == "maximum":
        return max_pool2d(x, 3, pool.stride, padding)
    return avg_pool2d(x, 3, pool.stride, padding, count_include_pad=False)


_1, _3, _5 = (1, 1), (3, 3), (5, 5)
_WIDE, _HIGH = (1, 7), (7, 1)


def _block_a(pool_width: int) -> list[Path]:
    return [
        [Conv("branch1x1", 64, _1)],
        [Conv("branch5x5_1", 48, _1), Conv("branch5x5_2", 64, _5)],
        [Conv("branch3x3dbl_1", 64, _1), Conv("branch3x3dbl_2", 96, _3), Conv("branch3x3dbl_3", 96, _3)],
        [Pool("average"), Conv("branch_pool", pool_width, _1)],
    ]


def _block_b() -> list[Path]:
    return [
        [Conv("branch3x3", 384, _3, 2)],
        [Conv("branch3x3dbl_1", 64, _1), Conv("branch3x3dbl_2", 96, _3), Conv("branch3x3dbl_3", 96, _3, 2)],
        [Pool("maximum", 2)],
    ]


def _block_c(inner: int) -> list[Path]:
    double = ((inner, _1), (inner, _HIGH), (inner, _WIDE), (inner, _HIGH), (192, _WIDE))
    return [
        [Conv("branch1x1", 192, _1)],
        [Conv("branch7x7_1", inner, _1), Conv("branch7x7_2", inner, _WIDE), Conv("branch7x7_3", 192, _HIGH)],
        [Conv(f"branch7x7dbl_{number}", *layer) for number, layer in enumerate(double, start=1)],
        [Pool("average"), Conv("branch_pool", 192, _1)],
    ]


def _block_d() -> list[Path]:
    long: tuple[tuple[Any, ...], ...] = ((192, _1), (192, _WIDE), (192, _HIGH), (192, _3, 2))
    return [
        [Conv("branch3x3_1", 192, _1), Conv("branch3x3_2", 320, _3, 2)],
        [Conv(f"branch7x7x3_{number}", *layer) for number, layer in enumerate(long, start=1)],
        [Pool("maximum", 2)],
    ]


def _block_e(pool: str) -> list[Path]:
    def fork(name: str) -> Fork:
        return Fork((Conv(f"{name}a", 384, (1, 3)), Conv(f"{name}b", 384, (3, 1))))

    return [
        [Conv("branch1x1", 320, _1)],
        [Conv("branch3x3_1", 384, _1), fork("branch3x3_2")],
        [Conv("branch3x3dbl_1", 448, _1), Conv("branch3x3dbl_2", 384, _3), fork("branch3x3dbl_3")],
        [Pool(pool), Conv("branch_pool", 192, _1)],
    ]


_STEM = (  # layer, padding
    (Conv("Conv2d_1a_3x3", 32, _3, 2), 0),
    (Conv("Conv2d_2a_3x3", 32, _3), 0),
    (Conv("Conv2d_2b_3x3", 64, _3), 1),
    (Conv("Conv2d_3b_1x1", 80, _1), 0),
    (Conv("Conv2d_4a_3x3", 192, _3), 0),
)
_POOLED = ("Conv2d_2b_3x3", "Conv2d_4a_3x3")  # after these the stem halves the sides


class Inception(nn.Module):
    """The network; :meth:`load` puts the published weights in and makes it ready."""

    def __init__(self) -> None:
        super().__init__()
        self.order: list[str] = []
        width = 3
        for conv, padding in _STEM:
            self._append(conv.name, Layer(width, conv, (padding, padding)))
            width = conv.width
        blocks = {
            "5b": _block_a(32),
            "5c": _block_a(64),
            "5d": _block_a(64),
            "6a": _block_b(),
            "6b": _block_c(128),
            "6c": _block_c(160),
            "6d": _block_c(160),
            "6e": _block_c(192),
            "7a": _block_d(),
            "7b": _block_e("average"),
            "7c": _block_e("maximum"),
        }
        for name, paths in blocks.items():
            block = Block(width, paths)
            self._append(f"Mixed_{name}", block)
            width = block.width
        self.fc = nn.Linear(width, NUM_LOGITS)

    def _append(self, name: str, module: nn.Module) -> None:
        self.add_module(name, module)
        self.order.append(name)

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Takes the tensors of the published file, which must be all and of the right shapes.

        Raises:
            RuntimeError: names or shapes are others.
        """
        held = {name: value for name, value in weights.items() if not name.endswith("num_batches_tracked")}
        counters = {
            name: torch.zeros(
                (), dtype=torch.int64
            )  # of BatchNorm in training; not in every copy of the file
            for name in self.state_dict()
            if name.endswith("num_batches_tracked")
        }
        self.load_state_dict({**held, **counters}, assign=True)
        self.eval().requires_grad_(False)
        for module in self.modules():
            if isinstance(module, Layer):
                module.fold()

    def forward(self, x: Tensor) -> Features:
        """Images [B, 3, 299, 299], about [-1, 1], to features [B, 2048] and logits [B, 1008].

        The logits are without the last layer's bias, as in the Inception score's own code (Salimans 2016,
        arXiv:1606.03498).
        """
        for name in self.order:
            x = self.get_submodule(name)(x)
            if name in _POOLED:
                x = max_pool2d(x, 3, 2)
        features = x.mean((2, 3))
        return Features(features, features @ self.fc.weight.T)
