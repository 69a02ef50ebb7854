"""Mixtures of Gaussians in the plane, where every mode can be counted.

The grid of 25 and the ring of 8 are those of VEEGAN (Srivastava 2017, arXiv:1705.07761), here scaled
into [-1, 1].
"""

from __future__ import annotations

import torch

from ganvas.data.datamodule import SPLITS, TensorDataModule
from ganvas.data.loading.stored import Stored
from ganvas.errors import require
from ganvas.functional.mixtures import SCALE, centres
from ganvas.functional.random import hash64


class Toy(TensorDataModule):
    """Points float32 [N, 2] in [-1, 1], labelled with the number of their mode.

    Args:
        shape: ``gaussians25``, a 5x5 grid with spacing 2, or ``ring8``, a circle of radius 2; then scaled by
            1/5 and 1/2.5.
        std: standard deviation of a mode before scaling; 0.05 is usual for the grid, 0.02 for the ring.
        num_train: points to train on.
        num_val: points to validate on.
        num_test: points to test on.
        seed: of the training points too: they are drawn from it. The others are the same for every seed,
            so that metrics of runs of several seeds rest on the same real points.

    Attributes:
        modes: centres float32 [M, 2], scaled.
        mode_std: standard deviation of a mode, scaled.

    The others: see :class:`ganvas.data.datamodule.TensorDataModule`.
    """

    def __init__(
        self,
        *,
        shape: str = "gaussians25",
        std: float = 0.05,
        num_train: int = 100_000,
        num_val: int = 10_000,
        num_test: int = 10_000,
        batch_size: int = 256,
        num_workers: int = 0,
        seed: int = 0,
        num_classes: int | None = None,
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers, seed=seed, num_classes=num_classes)
        require(shape in SCALE, "shape", shape, f"must be one of {', '.join(SCALE)}")
        require(0 < std <= 0.2, "std", std, "must be above 0 and at most 0.2, before scaling; 0.05 is usual")
        require(num_train > 0, "num_train", num_train, "must be positive")
        require(num_val >= 0, "num_val", num_val, "must be 0 or more")
        require(num_test >= 0, "num_test", num_test, "must be 0 or more")
        self.sizes = dict(zip(SPLITS, (num_train, num_val, num_test)))
        self.modes = centres(shape)
        self.mode_std = std / SCALE[shape]

    def count_classes(self, splits: dict[str, Stored]) -> int:
        """Number of modes; a small draw may miss the last."""
        return len(self.modes)

    def load(self) -> dict[str, Stored]:
        return {name: self._draw(name, count) for name, count in self.sizes.items()}

    def _draw(self, name: str, count: int) -> Stored:
        seed = self.seed if name == "train" else 0
        generator = torch.Generator().manual_seed(hash64("toy", seed, name))
        label = torch.randint(len(self.modes), (count,), generator=generator)
        noise = torch.randn((count, 2), generator=generator) * self.mode_std
        return Stored((self.modes[label] + noise).clamp_(-1, 1), label)
