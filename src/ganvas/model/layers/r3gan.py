"""What both networks of R3GAN are made of (Huang 2024, arXiv:2501.05441, section 3 and appendix C)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu_

from ganvas.errors import require, require_whole

# Channels of the stages from 4x4 on, by image size: the paper's for CIFAR-10, FFHQ-64 and FFHQ-256.
WIDTHS = {32: (768,) * 4, 64: (*(768,) * 4, 384), 256: (*(768,) * 4, 384, 192, 96)}
_SLOPE = 0.2  # of LeakyReLU
_GAIN = math.sqrt(2 / (1 + _SLOPE**2))  # that keeps the variance through it


def stages_of(widths: Sequence[int] | None, image_size: int | None, part: str) -> tuple[tuple[int, ...], int]:
    """The channels of each stage from the smallest map on, and that map's side.

    Raises:
        OptionError: no widths are known for the size, or the doublings do not reach it.
    """
    size = image_size or 0
    known = ", ".join(map(str, WIDTHS))
    rule = f"has widths of its own for {known} pixels; model.{part}.widths=[...] for another"
    require(size > 0 and (widths is not None or size in WIDTHS), "image_size", image_size, rule)
    found = tuple(WIDTHS[size] if widths is None else widths)
    fits = len(found) > 0 and all(width >= 1 for width in found)
    require(fits, "widths", list(found), "must name at least one stage, each of at least 1 channel")
    doublings = len(found) - 1
    rule = f"must be a multiple of {2**doublings}, by {doublings} doublings; model.{part}.widths=[...]"
    require(size % 2**doublings == 0, "image_size", image_size, rule)
    return found, size >> doublings


def initialized(layer: nn.Module, gain: float) -> nn.Module:
    """Weights from N(0, gain^2 / fan-in); the layer has no bias."""
    weight: Tensor = layer.weight  # type: ignore[assignment]  # of a convolution or a linear layer
    with torch.no_grad():
        weight.normal_().mul_(gain / math.sqrt(weight[0].numel()))
    return layer


class Block(nn.Module):
    """x + 1x1(act(3x3 in groups(act(1x1(x))))), act a bias and LeakyReLU(0.2); the identity at the start.

    Args:
        width: w, channels of x.
        depth: blocks of the whole network, by which the first two convolutions begin smaller (Fixup).
        expansion: the inner convolutions have ``expansion`` w channels.
        group_size: channels of a group of the 3x3 convolution.

    Raises:
        OptionError: the inner channels are no multiple of ``group_size``.
    """

    def __init__(self, width: int, *, depth: int, expansion: int, group_size: int) -> None:
        super().__init__()
        inner = width * expansion
        rule = f"must divide the {inner} inner channels of a block; another size, or other widths"
        require(group_size >= 1 and inner % group_size == 0, "group_size", group_size, rule)
        gain = _GAIN * depth**-0.25
        self.wide = initialized(nn.Conv2d(width, inner, 1, bias=False), gain)
        grouped = nn.Conv2d(inner, inner, 3, padding=1, groups=inner // group_size, bias=False)
        self.grouped = initialized(grouped, gain)
        self.narrow = initialized(nn.Conv2d(inner, width, 1, bias=False), 0.0)
        self.bias1 = nn.Parameter(torch.zeros(inner))
        self.bias2 = nn.Parameter(torch.zeros(inner))

    def forward(self, x: Tensor) -> Tensor:
        """[B, w, H, W] to the same shape."""
        # In place of the sums, which nothing else reads: a tenth of a step with R1 and R2.
        branch = leaky_relu_(self.wide(x) + self.bias1[:, None, None], _SLOPE)
        branch = leaky_relu_(self.grouped(branch) + self.bias2[:, None, None], _SLOPE)
        return x + self.narrow(branch)


def check_blocks(blocks: int, expansion: int) -> None:
    """Raises OptionError unless both are at least 1."""
    require_whole("blocks", blocks, 1, "2 a stage in the paper")
    require_whole("expansion", expansion, 1, "2 in the paper")
