"""Three grey images as the channels of one: a data set whose many modes can be counted by a classifier.

Stacked MNIST has 1,000 modes (Che 2017, arXiv:1612.02136; Metz 2017, arXiv:1611.02163).
"""

from __future__ import annotations

import torch

from ganvas.data.datamodule import SPLITS, TensorDataModule
from ganvas.data.loading.stored import Stored
from ganvas.errors import require
from ganvas.functional.batch import DataFacts
from ganvas.functional.random import hash_index

_CHANNELS = 3


class StackedDataModule(TensorDataModule):
    """Images uint8 [N, 3, H, W], each channel an image of the same split of other data.

    The label is 100a + 10b + c for ten classes a, b, c of the channels. Which images a sample is made of is
    a function of its number, and in training of the seed; the other splits are the same for every seed.

    Args:
        base: the data that the channels come from: grey images with labels, of ``image_size``.
        num_train: samples to train on.
        num_val: samples to validate on.
        num_test: samples to test on.

    The others: see :class:`ganvas.data.datamodule.TensorDataModule`.
    """

    def __init__(
        self,
        *,
        base: TensorDataModule,
        num_train: int,
        num_val: int,
        num_test: int,
        root: str | None,
        batch_size: int,
        num_workers: int,
        seed: int,
        channels: int | None,
        image_size: int | None,
        num_classes: int | None,
        resize_mode: str,
    ) -> None:
        super().__init__(
            root=root,
            batch_size=batch_size,
            num_workers=num_workers,
            seed=seed,
            channels=channels,
            image_size=image_size,
            num_classes=num_classes,
            resize_mode=resize_mode,
        )
        require(num_train > 0, "num_train", num_train, "must be positive")
        require(num_val >= 0, "num_val", num_val, "must be 0 or more")
        require(num_test >= 0, "num_test", num_test, "must be 0 or more")
        self.base = base
        self.num_train, self.num_val, self.num_test = num_train, num_val, num_test

    def count_classes(self, splits: dict[str, Stored]) -> int:
        """Number of modes; a small draw may miss the last."""
        return self._base_classes**_CHANNELS

    @property
    def _base_classes(self) -> int:
        classes = self.base.num_classes
        assert classes is not None, "the base has labels"
        return classes

    def load(self) -> dict[str, Stored]:
        self.base.prepare()
        return {
            name: self._stack(name, count)
            for name, count in zip(SPLITS, (self.num_train, self.num_val, self.num_test))
        }

    def _stack(self, name: str, count: int) -> Stored:
        grey = self.base.split(name)
        assert grey.label is not None
        numbers = torch.arange(count * _CHANNELS)
        draws = hash_index(numbers, "stacked", name, self.seed if name == "train" else 0)
        rows = (draws % len(grey)).view(count, _CHANNELS)
        values = self._base_classes ** torch.arange(_CHANNELS - 1, -1, -1)  # 100, 10, 1
        return Stored(grey.x[rows, 0], (grey.label[rows] * values).sum(1))

    def facts(self) -> DataFacts:
        """Those of the stacked data, and in ``parts`` those of the base."""
        return super().facts()._replace(parts=self.base.facts())
