"""What the codes of one sample are as a sequence: how many, of which sizes, and where each belongs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class CodeLayout:
    """The codes of one sample in the order in which a prior goes through them.

    Codes are maps int64 [B, levels, *positions], one or several (VQ-VAE-2: the top first). The sequence takes
    map after map; within a map the positions row by row; at a position its levels, the first one first. So
    a map is conditioned on those before it, and a residual code on the coarser ones of its place.

    Attributes:
        sizes: of each map the number of codes of each of its levels.
        positions: of each map the shape of its positions: (H, W) of a grid, (N,) of a row.

    Raises:
        ValueError: no map, no level, no position, or a size below 2.
    """

    sizes: tuple[tuple[int, ...], ...]
    positions: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        if not self.sizes or len(self.sizes) != len(self.positions):
            raise ValueError(
                f"{len(self.sizes)} maps of sizes for {len(self.positions)} of positions; equally many"
            )
        for sizes, positions in zip(self.sizes, self.positions, strict=True):
            if not sizes or min(sizes) < 2 or len(positions) > 2 or (positions and min(positions) < 1):
                raise ValueError(f"a map of {sizes} codes at {positions}: at least 2 codes, and 1 or 2 sides")

    @property
    def length(self) -> int:
        """N, the number of codes of a sample."""
        return sum(len(own) * math.prod(at) for own, at in zip(self.sizes, self.positions, strict=True))

    @property
    def vocabulary(self) -> int:
        """V, the largest number of codes of a level."""
        return max(max(own) for own in self.sizes)

    @property
    def num_levels(self) -> int:
        """Levels of all maps together."""
        return sum(len(own) for own in self.sizes)

    @property
    def bits(self) -> float:
        """Bits of a sample where every code of a level is as likely as any other."""
        pairs = zip(self.sizes, self.positions, strict=True)
        return sum(math.prod(at) * sum(math.log2(size) for size in own) for own, at in pairs)

    def element_sizes(self) -> Tensor:
        """int64 [N]: number of codes of each element's level."""
        return self._per_element(list(self.sizes))

    def element_levels(self) -> Tensor:
        """int64 [N]: each element's level, counted through all maps."""
        starts = [sum(len(own) for own in self.sizes[:number]) for number in range(len(self.sizes))]
        return self._per_element(
            [range(start, start + len(own)) for start, own in zip(starts, self.sizes, strict=True)]
        )

    def element_maps(self) -> Tensor:
        """int64 [N]: number of each element's map."""
        return self._per_element([[number] * len(own) for number, own in enumerate(self.sizes)])

    def coordinates(self) -> Tensor:
        """float32 [N, 2]: row and column of each element's centre, in steps of the finest map.

        Maps of several sizes lie upon each other: the centre of a coarse position is that of the fine ones
        that it covers. A row of positions has row 0 throughout.
        """
        finest = [max(side) for side in zip(*(_sides(at) for at in self.positions), strict=True)]
        found = []
        for own, at in zip(self.sizes, self.positions, strict=True):
            height, width = _sides(at)
            rows = (torch.arange(height) + 0.5) * (finest[0] / height) - 0.5
            columns = (torch.arange(width) + 0.5) * (finest[1] / width) - 0.5
            grid = torch.cartesian_prod(rows, columns)  # [positions, 2]
            found.append(grid.repeat_interleave(len(own), 0))
        return torch.cat(found)

    def flatten(self, indices: Tensor | Sequence[Tensor]) -> Tensor:
        """Codes as a recipe's ``encode`` gives them, one map or a tuple of them, to int64 [B, N].

        Raises:
            ValueError: maps of other shapes.
        """
        maps = [indices] if isinstance(indices, Tensor) else list(indices)
        shapes = [(len(own), *at) for own, at in zip(self.sizes, self.positions, strict=True)]
        if [tuple(one.shape[1:]) for one in maps] != shapes:
            found = [tuple(one.shape[1:]) for one in maps]
            raise ValueError(f"codes of shapes {found}: must be {shapes}")
        return torch.cat([one.flatten(2).transpose(1, 2).flatten(1) for one in maps], dim=1)

    def unflatten(self, codes: Tensor) -> Tensor | tuple[Tensor, ...]:
        """int64 [B, N] to maps [B, levels, *positions], a tuple where there are several; undoes flatten."""
        if codes.ndim != 2 or codes.shape[1] != self.length:
            raise ValueError(f"codes of shape {tuple(codes.shape)}: must be [B, {self.length}]")
        lengths = [len(own) * math.prod(at) for own, at in zip(self.sizes, self.positions, strict=True)]
        maps = tuple(
            part.unflatten(1, (-1, len(own))).transpose(1, 2).reshape(codes.shape[0], len(own), *at)
            for part, own, at in zip(codes.split(lengths, 1), self.sizes, self.positions, strict=True)
        )
        return maps[0] if len(maps) == 1 else maps

    def require_codes(self, codes: Tensor) -> None:
        """Raises ValueError unless codes are int64 [B, N], each in [0, the size of its level)."""
        if codes.dtype != torch.int64 or codes.ndim != 2 or codes.shape[1] != self.length:
            found = f"{codes.dtype} of shape {tuple(codes.shape)}"
            raise ValueError(f"codes are {found}: must be int64 [B, {self.length}]")
        wrong = (codes < 0) | (codes >= self.element_sizes().to(codes.device))
        if wrong.any():
            raise ValueError(f"codes hold {int(codes[wrong][0])}: each must be in [0, the size of its level)")

    def to_plain(self) -> dict[str, Any]:
        """As lists, for a file; :meth:`from_plain` reads them."""
        return {"sizes": [list(own) for own in self.sizes], "positions": [list(at) for at in self.positions]}

    @classmethod
    def from_plain(cls, plain: Any) -> CodeLayout:
        """Raises ValueError where ``plain`` is not what :meth:`to_plain` gives."""
        try:
            sizes, positions = plain["sizes"], plain["positions"]
            numbers = [number for part in (*sizes, *positions) for number in part]
            if not all(type(number) is int and number < 2**31 for number in numbers):
                raise ValueError("a layout of codes holds whole numbers alone")
            return cls(tuple(tuple(own) for own in sizes), tuple(tuple(at) for at in positions))
        except (KeyError, TypeError) as error:
            raise ValueError("no layout of codes: it must have sizes and positions") from error

    @classmethod
    def of(cls, indices: Tensor | Sequence[Tensor], codebook_sizes: Sequence[int]) -> CodeLayout:
        """The layout of codes like these, of a recipe with so many codes at each level (through all maps)."""
        maps = [indices] if isinstance(indices, Tensor) else list(indices)
        left = list(codebook_sizes)
        sizes = []
        for one in maps:
            sizes.append(tuple(left[: one.shape[1]]))
            left = left[one.shape[1] :]
        return cls(tuple(sizes), tuple(tuple(one.shape[2:]) for one in maps))

    def _per_element(self, of_levels: Sequence[Sequence[int]]) -> Tensor:
        found = [
            torch.tensor(list(own), dtype=torch.int64).repeat(math.prod(at))
            for own, at in zip(of_levels, self.positions, strict=True)
        ]
        return torch.cat(found)


def _sides(positions: tuple[int, ...]) -> tuple[int, int]:
    """Height and width; a row of positions has height 1."""
    return (1, math.prod(positions)) if len(positions) < 2 else (positions[0], positions[1])
