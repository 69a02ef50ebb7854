"""Stacked digits: three of scikit-learn's 8x8 digits as the channels of one image; 1,000 modes."""

from __future__ import annotations

from ganvas.data.digits import Digits
from ganvas.data.stacked import StackedDataModule


class StackedDigits(StackedDataModule):
    """Drawn from the splits of :class:`ganvas.data.digits.Digits`; the label is 100a + 10b + c.

    Args: see :class:`ganvas.data.stacked.StackedDataModule`.
    """

    def __init__(
        self,
        *,
        num_train: int = 50_000,
        num_val: int = 10_000,
        num_test: int = 10_000,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        channels: int | None = 3,
        image_size: int | None = 8,
        num_classes: int | None = 1000,
        resize_mode: str = "auto",
    ) -> None:
        super().__init__(
            base=Digits(image_size=image_size, resize_mode=resize_mode),
            num_train=num_train,
            num_val=num_val,
            num_test=num_test,
            root=None,
            batch_size=batch_size,
            num_workers=num_workers,
            seed=seed,
            channels=channels,
            image_size=image_size,
            num_classes=num_classes,
            resize_mode=resize_mode,
        )
