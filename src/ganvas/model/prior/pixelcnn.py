"""A gated PixelCNN over the codes of a sample (van den Oord 2016, arXiv:1606.05328)."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ganvas.errors import require
from ganvas.functional.code_layout import CodeLayout
from ganvas.model.layers.basic import require_positive
from ganvas.model.layers.pixel_stack import PixelStack, StackState
from ganvas.model.prior.interface import Prior


@dataclass
class _Cache:
    codes: Tensor  # int64 [B, N]: those so far
    label: Tensor | None  # int64 [B]
    state: StackState | None = None  # of the map at work


class PixelCNNPrior(Prior):
    """A stack of gated layers for each map: all positions before one, then its levels one after another.

    With one map of one level it is the paper's. A map sees those before it, resized to its own positions by
    their nearest vectors, through convolutions that look at all sides (VQ-VAE-2: Razavi 2019,
    arXiv:1906.00446); a row of positions is a picture one high.

    Args:
        layout: what the codes are.
        num_classes: of labels; None: unconditional.
        channels: p of the vertical and of the horizontal stack, and of a code's vector.
        layers: of each stack; with kernel n, an element sees n / 2 * layers positions to each side.
        kernel_size: n, odd, at least 3.
        skip_channels: of what all layers give to the output, and of the hidden layer there.
        condition_blocks: residual blocks on what a map sees of those before it.

    Raises:
        OptionError: a size below 1, an even kernel or one below 3, or what :class:`Prior` refuses.
    """

    def __init__(
        self,
        layout: CodeLayout,
        num_classes: int | None = None,
        channels: int = 64,
        layers: int = 12,
        kernel_size: int = 5,
        skip_channels: int = 256,
        condition_blocks: int = 2,
    ) -> None:
        super().__init__(layout, num_classes)
        sizes = {"channels": channels, "layers": layers, "skip_channels": skip_channels}
        for option, value in (sizes | {"condition_blocks": condition_blocks}).items():
            require_positive(option, value)
        rule = "must be odd and at least 3, so that it has a middle and a neighbour; 3 and 5 are usual"
        require(kernel_size >= 3 and kernel_size % 2 == 1, "kernel_size", kernel_size, rule)
        self.sides = [(1, math.prod(at)) if len(at) < 2 else (at[0], at[1]) for at in layout.positions]
        self.lengths = [len(own) * math.prod(at) for own, at in zip(layout.sizes, self.sides, strict=True)]
        begins = [0, *itertools.accumulate(self.lengths)]
        maps = enumerate(self.lengths)
        # of each element its map, and where that begins
        self.starts = [(number, begins[number]) for number, length in maps for _ in range(length)]
        self.stacks: Any = nn.ModuleList(
            PixelStack(
                layout.sizes[number],
                self.sides[number],
                layout.vocabulary,
                earlier=layout.sizes[:number],
                num_classes=num_classes,
                channels=channels,
                layers=layers,
                kernel_size=kernel_size,
                skip_channels=skip_channels,
                condition_blocks=condition_blocks,
            )
            for number in range(len(layout.sizes))
        )

    def forward(self, codes: Tensor, label: Tensor | None = None) -> Tensor:
        """Logits [B, N, V] of codes [B, N]; see :class:`Prior`."""
        maps = self._maps(codes, len(self.stacks))
        made = [stack(maps[number], maps[:number], label) for number, stack in enumerate(self.stacks)]
        return torch.cat([logits.flatten(1, 3) for logits in made], dim=1)

    def start(self, batch: int, label: Tensor | None) -> _Cache:
        """Room for the codes; the stack of a map makes its own when the map begins."""
        length = self.layout.length
        return _Cache(torch.zeros(batch, length, dtype=torch.int64, device=self.lacking.device), label)

    def advance(self, cache: _Cache, place: int, previous: Tensor | None) -> Tensor:
        """Logits [B, V] of element ``place``.

        At a row's beginning the row above goes down the vertical stack, at a position's the position through
        the horizontal one; a later level costs its output alone.
        """
        if previous is not None:
            cache.codes[:, place - 1] = previous
        number, begins = self.starts[place]
        stack, levels = self.stacks[number], len(self.layout.sizes[number])
        position, level = divmod(place - begins, levels)
        if place == begins:
            earlier = self._maps(cache.codes, number)
            cache.state = stack.begin(len(cache.codes), earlier, cache.label)
        state = cache.state
        assert state is not None
        if level:
            state.features = state.features + stack.heads.vectors(level - 1, previous)
        else:
            if position:
                stack.take(state, position - 1, cache.codes[:, place - levels : place])
            stack.take_up(state, position)
        logits: Tensor = stack.heads.of_level(level, state.features)
        return logits

    def _maps(self, codes: Tensor, number: int) -> list[Tensor]:
        """The first maps of codes [B, N], each [B, H, W, levels]."""
        parts = codes.split(self.lengths, 1)[:number]
        return [
            part.unflatten(1, (*sides, len(own)))
            for part, sides, own in zip(parts, self.sides, self.layout.sizes)
        ]
