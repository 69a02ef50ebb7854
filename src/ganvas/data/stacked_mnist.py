"""Stacked MNIST: three MNIST digits as the channels of one image; 1,000 modes."""

from __future__ import annotations

from ganvas.data.mnist import MNIST
from ganvas.data.stacked import StackedDataModule


class StackedMNIST(StackedDataModule):
    """Drawn from the splits of :class:`ganvas.data.mnist.MNIST`; the label is 100a + 10b + c.

    Args:
        root: folder of MNIST's IDX files, raw or .gz, or into which they are downloaded.
        mirrors: addresses of folders that hold the .gz files, tried in turn; empty downloads nothing.

    The others: see :class:`ganvas.data.stacked.StackedDataModule`.
    """

    def __init__(
        self,
        *,
        root: str | None = None,
        num_train: int = 128_000,
        num_val: int = 10_000,
        num_test: int = 26_000,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        channels: int | None = 3,
        image_size: int | None = 28,
        num_classes: int | None = 1000,
        mirrors: list[str] | None = None,
        resize_mode: str = "auto",
    ) -> None:
        super().__init__(
            base=MNIST(root=root, mirrors=mirrors, image_size=image_size, resize_mode=resize_mode),
            num_train=num_train,
            num_val=num_val,
            num_test=num_test,
            root=root,
            batch_size=batch_size,
            num_workers=num_workers,
            seed=seed,
            channels=channels,
            image_size=image_size,
            num_classes=num_classes,
            resize_mode=resize_mode,
        )
