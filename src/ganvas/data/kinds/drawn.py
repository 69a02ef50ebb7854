"""The base of data that are drawn and not collected: as many samples as the options say."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from ganvas.data.datamodule import SPLITS, TensorDataModule
from ganvas.data.loading.stored import Stored
from ganvas.errors import require


@dataclass(kw_only=True, eq=False, repr=False)
class DrawnDataModule(TensorDataModule):
    """Samples that are functions of their number, and in training of the seed.

    Validation and test are the same for every seed, so that metrics of runs of several seeds rest on the same
    real samples.

    Args:
        num_train: samples to train on.
        num_val: samples to validate on.
        num_test: samples to test on.

    The others: see :class:`ganvas.data.datamodule.TensorDataModule`.
    """

    num_train: int
    num_val: int
    num_test: int

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.num_train > 0, "num_train", self.num_train, "must be positive")
        require(self.num_val >= 0, "num_val", self.num_val, "must be 0 or more")
        require(self.num_test >= 0, "num_test", self.num_test, "must be 0 or more")

    def load(self) -> dict[str, Stored]:
        counts = zip(SPLITS, (self.num_train, self.num_val, self.num_test))
        return {name: self._draw(name, count, self.seed if name == "train" else 0) for name, count in counts}

    @abstractmethod
    def _draw(self, name: str, count: int, seed: int) -> Stored:
        """``count`` samples of a split, by ``seed``."""
