"""Clips of sounds: all of a split in fixed places, or in training at places drawn anew each epoch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ganvas.functional.random import hash_index


class Clips:
    """What of a tensor int16 [N, C, length] a split is asked for, cut out of its sounds.

    A sound of L samples has max(1, ceil(L / length)) clips: side by side, the last one filled up by zeros.

    Args:
        samples: of all sounds, int16 [T, C], one behind the other.
        begins: where each of the split's F sounds begins, int64 [F].
        lengths: samples of each, int64 [F].
        length: of a clip, samples.
    """

    dtype = torch.int16

    def __init__(self, samples: Tensor, begins: Tensor, lengths: Tensor, length: int) -> None:
        self.samples, self.begins, self.lengths, self.length = samples, begins, lengths, length
        counts = clip_counts(lengths, length)
        self.sound = torch.arange(len(lengths)).repeat_interleave(counts)  # int64 [N], that a clip is of
        number = torch.arange(len(self.sound)) - (counts.cumsum(0) - counts)[self.sound]
        self.offsets = number * length  # int64 [N], of each clip in its sound

    @property
    def shape(self) -> torch.Size:
        return torch.Size((len(self), self.samples.shape[1], self.length))

    def __len__(self) -> int:
        return len(self.sound)

    def is_floating_point(self) -> bool:
        return False

    def index_select(self, dim: int, rows: Tensor) -> Tensor:
        """Rows int64 [B]: int16 [B, C, length]."""
        assert dim == 0
        return self[rows]

    def __getitem__(self, rows: slice | Tensor | Sequence[int]) -> Tensor:
        if isinstance(rows, slice):
            rows = range(*rows.indices(len(self)))
        numbers = torch.as_tensor(rows, dtype=torch.int64)
        return self.cut(numbers, self.offsets[numbers])

    def cut(self, rows: Tensor, offsets: Tensor) -> Tensor:
        """Clips of the sounds of rows [B], from these offsets int64 [B] on: int16 [B, C, length]."""
        out = torch.zeros((len(rows), *self.shape[1:]), dtype=torch.int16)
        sounds = self.sound[rows]
        firsts = self.begins[sounds] + offsets
        lasts = torch.minimum(firsts + self.length, self.begins[sounds] + self.lengths[sounds])
        for clip, first, last in zip(out, firsts.tolist(), lasts.tolist()):
            clip[:, : last - first] = self.samples[first:last].T
        return out

    def drawn_starts(self, rows: Tensor, *, seed: int, epoch: int) -> Tensor:
        """Where the clips of rows [B] begin in their sounds: any place where they fit is as likely, int64."""
        room = (self.lengths[self.sound[rows]] - self.length).clamp(min=0) + 1
        return hash_index(rows, "clip", seed, epoch) % room

    def whole(self, sound: int) -> Tensor:
        """One of the split's sounds, int16 [C, L]."""
        begin, length = int(self.begins[sound]), int(self.lengths[sound])
        return self.samples[begin : begin + length].T

    def sounds(self, numbers: Tensor) -> Clips:
        """The clips of these of the split's sounds, int64 [M]."""
        return Clips(self.samples, self.begins[numbers], self.lengths[numbers], self.length)


def clip_counts(lengths: Tensor, length: int) -> Tensor:
    """How many clips of ``length`` samples sounds of ``lengths`` [F] have, int64 [F]."""
    return lengths.add(length - 1).div(length, rounding_mode="floor").clamp(min=1)
