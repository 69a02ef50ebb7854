"""The two stacks of a gated PixelCNN over one map of codes, all of them at once or one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from ganvas.model.layers.basic import residual_stack
from ganvas.model.layers.pixelcnn import CodeVectors, Condition, GatedLayer, LevelHeads, gate


@dataclass
class StackState:
    """What the layers have seen of a map whose positions come one after another.

    Attributes:
        added: of each layer its condition.
        rows: of each layer the vertical stack's input [B, p, n / 2 + H, W], zeros above.
        columns: of each layer the horizontal stack's input [B, p, 1, n / 2 + W], zeros before, this row's
            up to this position.
        linked: of each layer what this row takes of those above [B, 2 p, 1, W].
        features: [B, skip_channels] of this position, and of its levels so far.
    """

    added: list[list[Tensor]]
    rows: list[Tensor]
    columns: list[Tensor]
    linked: list[Tensor] = field(default_factory=list)
    features: Tensor = field(default_factory=lambda: torch.empty(0))


class PixelStack(nn.Module):
    """Logits of a map's codes by those before them, the maps before it, and the class.

    Args:
        sizes: number of codes of each level.
        sides: H and W; of one row there is no vertical stack.
        vocabulary: V, to which logits are filled up.
        earlier: the sizes of the maps before it.
        num_classes: of labels; None: there are none.
        channels: p of each stack.
        layers: of each stack.
        kernel_size: n, odd.
        skip_channels: of what all layers give to the output.
        condition_blocks: residual blocks on the maps before it.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        sides: tuple[int, int],
        vocabulary: int,
        *,
        earlier: Sequence[Sequence[int]],
        num_classes: int | None,
        channels: int,
        layers: int,
        kernel_size: int,
        skip_channels: int,
        condition_blocks: int,
    ) -> None:
        super().__init__()
        self.sides, self.reach, self.tall = sides, kernel_size // 2, sides[0] > 1
        self.vectors = CodeVectors(sizes, channels)
        self.earlier = nn.ModuleList(CodeVectors(own, channels) for own in earlier)
        self.mixed: nn.Module | None = None
        if earlier:
            middle = nn.Conv2d(channels, channels, 3, padding=1)
            self.mixed = nn.Sequential(middle, residual_stack(channels, channels, condition_blocks))
        last = layers - 1
        self.layers: Any = nn.ModuleList(
            GatedLayer(channels, kernel_size, skip_channels, number == 0, number == last, self.tall)
            for number in range(layers)
        )
        self.conditions = nn.ModuleList(  # the last layer's vertical stack has no gate
            Condition(channels, 1 + (self.tall and number < last), num_classes, channels if earlier else None)
            for number in range(layers)
        )
        self.heads = LevelHeads(sizes, skip_channels, vocabulary)

    def forward(self, codes: Tensor, earlier: Sequence[Tensor], label: Tensor | None) -> Tensor:
        """int64 [B, H, W, levels] to logits [B, H, W, levels, V].

        Args:
            earlier: int64 [B, h, w, levels] of each map before this one.
            label: int64 [B] in [0, num_classes]; None where there are no classes.
        """
        down = right = self.vectors(codes)  # [B, p, H, W]
        out = right.new_zeros(())
        for layer, added in zip(self.layers, self._added(right, earlier, label), strict=True):
            more = added[0]
            if self.tall:
                linked, seen = layer.down(pad(down, (0, 0, self.reach, 0)))
                more = more + pad(linked, (0, 0, 1, 0))[:, :, :-1]  # of the row above
                down = gate(seen + added[1]) if len(added) > 1 else down
            padded = pad(right, (self.reach, 0))
            right, skip = layer.right(padded[..., :-1] if layer.first else padded, more)
            out = out + skip
        made: Tensor = self.heads(out.movedim(1, 3), codes)
        return made

    def begin(self, batch: int, earlier: Sequence[Tensor], label: Tensor | None) -> StackState:
        """The state before the first position."""
        (height, width), weight = self.sides, self.vectors.vectors.weight
        like = weight.new_zeros(batch, weight.shape[1], height, width)
        layers = len(self.layers)
        return StackState(
            self._added(like, earlier, label),
            [pad(like, (0, 0, self.reach, 0)) for _ in range(layers if self.tall else 0)],
            [pad(like[:, :, :1], (self.reach, 0)) for _ in range(layers)],
        )

    def take(self, state: StackState, place: int, codes: Tensor) -> None:
        """Takes up the codes int64 [B, levels] of position ``place``, counted row by row."""
        row, column = divmod(place, self.sides[1])
        vectors = self.vectors(codes[:, None, None])[:, :, 0, 0]  # [B, p]
        state.columns[0][:, :, 0, self.reach + column] = vectors
        if self.tall:
            state.rows[0][:, :, self.reach + row, column] = vectors

    def take_up(self, state: StackState, place: int) -> None:
        """Makes the features of position ``place``; those before it have been taken up."""
        row, column = divmod(place, self.sides[1])
        if column == 0 and self.tall:
            self._begin_row(state, row)
        out = torch.zeros(())
        for number, layer in enumerate(self.layers):
            more = state.added[number][0][:, :, row : row + 1, column : column + 1]
            if self.tall:
                more = more + state.linked[number][..., column : column + 1]
            window = state.columns[number][..., column : column + self.reach + (not layer.first)]
            right, skip = layer.right(window, more)
            if right is not None:
                state.columns[number + 1][..., self.reach + column] = right[..., 0]
            out = skip if number == 0 else out + skip
        state.features = out[:, :, 0, 0]

    def _begin_row(self, state: StackState, row: int) -> None:
        """Sends the row above, which is whole by now, down the vertical stack."""
        state.linked = []
        for number, layer in enumerate(self.layers):
            above = state.rows[number][:, :, max(row - 1, 0) : max(row - 1, 0) + self.reach + 1]
            linked, seen = layer.down(above)  # [B, 2 p, 1, W]
            state.linked.append(linked if row else torch.zeros_like(linked))
            if row and layer.out is not None:
                more = state.added[number][1][:, :, row - 1 : row]
                state.rows[number + 1][:, :, self.reach + row - 1] = gate(seen + more)[:, :, 0]

    def _added(self, like: Tensor, earlier: Sequence[Tensor], label: Tensor | None) -> list[list[Tensor]]:
        """What each layer's gates are given beside the codes of this map."""
        seen: Tensor | None = None
        if self.mixed is not None:
            resized = [
                interpolate(vectors(codes), self.sides, mode="nearest-exact")
                for vectors, codes in zip(self.earlier, earlier, strict=True)
            ]
            seen = self.mixed(torch.stack(resized).sum(0))  # [B, p, H, W]
        return [condition(like, label, seen) for condition in self.conditions]
