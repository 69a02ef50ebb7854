"""Mixtures of Gaussians in the plane, where every mode can be counted.

The grid of 25 and the ring of 8 are those of VEEGAN (Srivastava 2017, arXiv:1705.07761), here scaled
into [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from ganvas.data.kinds.drawn import DrawnDataModule
from ganvas.data.loading.stored import Stored
from ganvas.errors import require
from ganvas.functional.mixtures import SCALE, centres
from ganvas.functional.random import hash64


@dataclass(kw_only=True, eq=False, repr=False)
class Toy(DrawnDataModule):
    """Points float32 [N, 2] in [-1, 1], labelled with the number of their mode.

    Args:
        shape: ``gaussians25``, a 5x5 grid with spacing 2, or ``ring8``, a circle of radius 2; then scaled by
            1/5 and 1/2.5.
        std: standard deviation of a mode before scaling; 0.05 is usual for the grid, 0.02 for the ring.

    Attributes:
        modes: centres float32 [M, 2], scaled.
        mode_std: standard deviation of a mode, scaled.

    The others: see :class:`ganvas.data.kinds.drawn.DrawnDataModule`.
    """

    shape: str = "gaussians25"
    std: float = 0.05
    num_train: int = 100_000
    num_val: int = 10_000
    num_test: int = 10_000
    batch_size: int = 256
    root: None = field(default=None, init=False)
    channels: None = field(default=None, init=False)
    image_size: None = field(default=None, init=False)
    resize_mode: str = field(default="auto", init=False)
    horizontal_flip: bool = field(default=False, init=False)
    random_shift: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.shape in SCALE, "shape", self.shape, f"must be one of {', '.join(SCALE)}")
        reason = "must be above 0 and at most 0.2, before scaling; 0.05 is usual"
        require(0 < self.std <= 0.2, "std", self.std, reason)
        self.modes = centres(self.shape)
        self.mode_std = self.std / SCALE[self.shape]

    def count_classes(self, splits: dict[str, Stored]) -> int:
        """Number of modes; a small draw may miss the last."""
        return len(self.modes)

    def _draw(self, name: str, count: int, seed: int) -> Stored:
        generator = torch.Generator().manual_seed(hash64("toy", seed, name))
        label = torch.randint(len(self.modes), (count,), generator=generator)
        noise = torch.randn((count, 2), generator=generator) * self.mode_std
        return Stored((self.modes[label] + noise).clamp_(-1, 1), label)
