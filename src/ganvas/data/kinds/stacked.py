"""Three grey images as the channels of one: a data set whose many modes can be counted by a classifier.

Stacked MNIST has 1,000 modes (Che 2017, arXiv:1612.02136; Metz 2017, arXiv:1611.02163).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from ganvas.data.datamodule import TensorDataModule
from ganvas.data.kinds.drawn import DrawnDataModule
from ganvas.data.loading.stored import Stored
from ganvas.functional.batch import DataFacts
from ganvas.functional.random import hash_index

_CHANNELS = 3


@dataclass(kw_only=True, eq=False, repr=False)
class StackedDataModule(DrawnDataModule):
    """Images uint8 [N, 3, H, W], each channel an image of the same split of other data.

    The label is 100a + 10b + c for ten classes a, b, c of the channels. Which images a sample is made of is
    a function of its number, and in training of the seed; the other splits are the same for every seed.

    A subclass sets ``base``, the data that the channels come from: grey images with labels, of
    ``image_size``.

    Args: see :class:`ganvas.data.kinds.drawn.DrawnDataModule`.
    """

    base: TensorDataModule = field(init=False)
    channels: int | None = _CHANNELS
    num_classes: int | None = 1000
    horizontal_flip: bool = field(default=False, init=False)
    random_shift: int = field(default=0, init=False)

    def count_classes(self, splits: dict[str, Stored]) -> int:
        """Number of modes; a small draw may miss the last."""
        return int(self._base_classes**_CHANNELS)

    @property
    def _base_classes(self) -> int:
        classes = self.base.num_classes
        assert classes is not None, "the base has labels"
        return classes

    def load(self) -> dict[str, Stored]:
        self.base.prepare()
        return super().load()

    def _draw(self, name: str, count: int, seed: int) -> Stored:
        grey = self.base.split(name)
        assert grey.label is not None
        numbers = torch.arange(count * _CHANNELS)
        draws = hash_index(numbers, "stacked", name, seed)
        rows = (draws % len(grey)).view(count, _CHANNELS)
        values = self._base_classes ** torch.arange(_CHANNELS - 1, -1, -1)  # 100, 10, 1
        return Stored(grey.x[rows, 0], (grey.label[rows] * values).sum(1))

    def facts(self) -> DataFacts:
        """Those of the stacked data, and in ``parts`` those of the base."""
        return super().facts()._replace(parts=self.base.facts())
