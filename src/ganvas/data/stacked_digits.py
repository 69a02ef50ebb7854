"""Stacked digits: three of scikit-learn's 8x8 digits as the channels of one image; 1,000 modes."""

from __future__ import annotations

from dataclasses import dataclass, field

from ganvas.data.digits import Digits
from ganvas.data.kinds.stacked import StackedDataModule


@dataclass(kw_only=True, eq=False, repr=False)
class StackedDigits(StackedDataModule):
    """Drawn from the splits of :class:`ganvas.data.digits.Digits`; the label is 100a + 10b + c.

    Args: see :class:`ganvas.data.kinds.stacked.StackedDataModule`.
    """

    root: None = field(default=None, init=False)
    num_train: int = 50_000
    num_val: int = 10_000
    num_test: int = 10_000
    image_size: int | None = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        self.base = Digits(image_size=self.image_size, resize_mode=self.resize_mode)
