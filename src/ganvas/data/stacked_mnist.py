"""Stacked MNIST: three MNIST digits as the channels of one image; 1,000 modes."""

from __future__ import annotations

from dataclasses import dataclass

from ganvas.data.kinds.stacked import StackedDataModule
from ganvas.data.mnist import MNIST


@dataclass(kw_only=True, eq=False, repr=False)
class StackedMNIST(StackedDataModule):
    """Drawn from the splits of :class:`ganvas.data.mnist.MNIST`; the label is 100a + 10b + c.

    Args:
        root: folder of MNIST's IDX files, raw or .gz, or into which they are downloaded.
        mirrors: addresses of folders that hold the .gz files, tried in turn; empty downloads nothing.

    The others: see :class:`ganvas.data.kinds.stacked.StackedDataModule`.
    """

    num_train: int = 128_000
    num_val: int = 10_000
    num_test: int = 26_000
    image_size: int | None = 28
    mirrors: list[str] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.base = MNIST(
            root=self.root, mirrors=self.mirrors, image_size=self.image_size, resize_mode=self.resize_mode
        )
