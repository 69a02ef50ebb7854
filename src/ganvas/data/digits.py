"""Digits: 1,797 handwritten digits of 8x8 (Alpaydin & Kaynak 1998), shipped inside scikit-learn."""

from __future__ import annotations

import numpy as np
import torch

from ganvas.data.datamodule import SPLITS, TensorDataModule
from ganvas.data.stored import Stored, hold_out

_NUM_HELD_OUT = 180  # pictures in val, and as many in test


class Digits(TensorDataModule):
    """1,437 training, 180 validation and 180 test pictures, the same for every seed; 10 classes, 1 channel.

    Args: see :class:`ganvas.data.datamodule.TensorDataModule`.
    """

    def __init__(
        self,
        *,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        channels: int | None = 1,
        image_size: int | None = 8,
        num_classes: int | None = 10,
        fit: str = "auto",
        horizontal_flip: bool = False,
        random_shift: int = 0,
    ) -> None:
        super().__init__(
            batch_size=batch_size,
            num_workers=num_workers,
            seed=seed,
            channels=channels,
            image_size=image_size,
            num_classes=num_classes,
            fit=fit,
            horizontal_flip=horizontal_flip,
            random_shift=random_shift,
        )

    def load(self) -> dict[str, Stored]:
        from sklearn.datasets import (
            load_digits,
        )  # here, since it takes a second that other data sets need not wait

        digits = load_digits()
        levels = np.round(digits.images * (255 / 16)).astype(np.uint8)  # stored as 0 .. 16
        whole = Stored(torch.from_numpy(levels)[:, None], torch.from_numpy(digits.target.astype(np.int64)))
        parts = hold_out(len(whole), [_NUM_HELD_OUT, _NUM_HELD_OUT], "digits")
        return {name: whole.rows(rows) for name, rows in zip(SPLITS, parts)}
