"""A gated PixelCNN's layer, stack and outputs (van den Oord 2016, arXiv:1606.05328)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad


class CodeVectors(nn.Module):
    """The sum of the levels' vectors, each level with a table of its own.

    Args:
        sizes: number of codes of each level.
        channels: length of a vector.
    """

    offsets: Tensor

    def __init__(self, sizes: Sequence[int], channels: int) -> None:
        super().__init__()
        self.vectors = nn.Embedding(sum(sizes), channels)
        starts = torch.tensor([0, *itertools.accumulate(sizes)][:-1])
        self.register_buffer("offsets", starts, persistent=False)

    def forward(self, codes: Tensor) -> Tensor:
        """int64 [B, H, W, levels] to [B, channels, H, W]."""
        return self.vectors(codes + self.offsets).sum(3).movedim(3, 1)

    def of_level(self, level: int, code: Tensor) -> Tensor:
        """int64 [B] of one level to [B, channels]."""
        made: Tensor = self.vectors(code + self.offsets[level])
        return made


class GatedLayer(nn.Module):
    """One layer of both stacks: figure 2, with the condition of equations 4 and 5 in the gates.

    The vertical stack at a row has seen this row and those above, and the horizontal one takes what it has at
    the row above, so that no earlier position is hidden. The horizontal one has seen the positions to the
    left and, after the first layer (mask A), its own: which in the input of a later layer (mask B) are those
    before it.

    Args:
        channels: p of each stack.
        kernel_size: n, odd: the vertical convolution has (n + 1) / 2 rows of n, the horizontal one n / 2 of
            them to the left, rounded down, and its own.
        skip_channels: of what it gives to the output.
        first: mask A, and nothing is added to the input, which the horizontal stack must not see.
        last: nothing comes after it.
        tall: there is more than one row; otherwise there is no vertical stack.
    """

    def __init__(
        self, channels: int, kernel_size: int, skip_channels: int, first: bool, last: bool, tall: bool
    ) -> None:
        super().__init__()
        self.first, self.reach = first, kernel_size // 2
        self.horizontal = nn.Conv2d(channels, 2 * channels, (1, self.reach + (not first)))
        self.vertical: nn.Conv2d | None = None
        if tall:
            self.vertical = nn.Conv2d(channels, 2 * channels, (self.reach + 1, kernel_size))
            self.to_horizontal = nn.Conv2d(2 * channels, 2 * channels, 1, bias=False)
        self.out = None if last else nn.Conv2d(channels, channels, 1)
        self.skip = nn.Conv2d(channels, skip_channels, 1)

    def down(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The vertical stack's rows: of [B, p, h + n / 2, W], which begins so many rows earlier, to what the
        horizontal one takes of them, and what the gate does, each [B, 2 p, h, W]."""
        assert self.vertical is not None
        seen = self.vertical(pad(x, (self.reach, self.reach)))
        return self.to_horizontal(seen), seen

    def right(self, x: Tensor, added: Tensor) -> tuple[Tensor | None, Tensor]:
        """The horizontal stack's columns: [B, p, H, w + n / 2], which begins so many columns earlier (and in
        the first layer ends one earlier), to what goes on, None in the last layer, and what goes out.

        Args:
            added: [B, 2 p, H, w] of the vertical stack and the condition.
        """
        gated = gate(self.horizontal(x) + added)
        on = None if self.out is None else self.out(gated)
        if on is not None and not self.first:
            on = on + x[..., self.reach :]
        return on, self.skip(gated)


def gate(x: Tensor) -> Tensor:
    """tanh of the first half of the channels, times the sigmoid of the other (equation 2)."""
    first, second = x.chunk(2, 1)
    return first.tanh() * second.sigmoid()


class Condition(nn.Module):
    """What classes and other maps add in one layer's gates: the horizontal stack's, then the vertical one's.

    Args:
        channels: p; 2 p numbers a gate.
        gates: of both stacks 2, of the horizontal one alone 1.
        num_classes: None: there are none.
        seen_channels: of what is known at each place; None: nothing is.
    """

    def __init__(self, channels: int, gates: int, num_classes: int | None, seen_channels: int | None) -> None:
        super().__init__()
        self.channels, self.gates = channels, gates
        self.classes: nn.Embedding | None = None
        if num_classes is not None:
            self.classes = nn.Embedding(num_classes + 1, gates * 2 * channels)
            nn.init.normal_(self.classes.weight, std=0.02)
        self.seen: nn.Conv2d | None = None
        if seen_channels is not None:
            self.seen = nn.Conv2d(seen_channels, gates * 2 * channels, 1, bias=False)

    def forward(self, like: Tensor, label: Tensor | None, seen: Tensor | None) -> list[Tensor]:
        """A map [B, 2 p, H, W] for each gate; ``like`` [B, p, H, W] says its sizes and its type."""
        shape = (like.shape[0], self.gates * 2 * self.channels, *like.shape[2:])
        made = like.new_zeros(()).expand(shape)
        if self.classes is not None and label is not None:
            made = made + self.classes(label)[:, :, None, None]
        if self.seen is not None and seen is not None:
            made = made + self.seen(seen)
        return list(made.chunk(self.gates, 1))


class LevelHeads(nn.Module):
    """Logits of a position's levels: of the position's features and the codes of the levels before it.

    ReLU, 1 x 1, ReLU, 1 x 1 (section 2.1 with figure 2's output); later levels add the earlier ones' vectors
    to the features.

    Args:
        sizes: number of codes of each level.
        channels: of the features.
        vocabulary: V, to which the logits of smaller levels are filled up, with zeros.
    """

    def __init__(self, sizes: Sequence[int], channels: int, vocabulary: int) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.before = CodeVectors(sizes[:-1], channels) if len(sizes) > 1 else None
        self.hidden = nn.ModuleList(nn.Linear(channels, channels) for _ in sizes)
        self.out = nn.ModuleList(nn.Linear(channels, size) for size in sizes)

    def forward(self, features: Tensor, codes: Tensor) -> Tensor:
        """[B, H, W, channels] and int64 [B, H, W, levels] to [B, H, W, levels, V]."""
        made = [self.of_level(0, features)]
        for level in range(1, len(self.out)):
            features = features + self.vectors(level - 1, codes[..., level - 1])
            made.append(self.of_level(level, features))
        return torch.stack(made, dim=3)

    def vectors(self, level: int, code: Tensor) -> Tensor:
        """What a code of a level adds for those after it; [...] to [..., channels]."""
        assert self.before is not None
        return self.before.of_level(level, code)

    def of_level(self, level: int, features: Tensor) -> Tensor:
        """[..., channels] with the earlier levels' vectors to [..., V]."""
        layer: Any = self.out[level]
        logits: Tensor = layer(self.hidden[level](features.relu()).relu())
        lacks = self.vocabulary - logits.shape[-1]
        return pad(logits, (0, lacks)) if lacks else logits
