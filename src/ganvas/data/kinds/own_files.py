"""The base of files of the user's own, in splits or not."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from torch import Tensor

from ganvas.data.datamodule import TensorDataModule
from ganvas.data.files.damaged import require_policy
from ganvas.data.loading.stored import hold_out, hold_out_of_classes
from ganvas.errors import require


@dataclass(kw_only=True, eq=False, repr=False)
class OwnFiles(TensorDataModule):
    """Files read by splits; one that the user does not give is held out of training, the same for every seed.

    Args:
        val_fraction: part of the training files held out where there is no ``val``.
        test_fraction: likewise for ``test``.
        cache_dir: folder of what is read once; None takes one beside ``root``, or the user's cache folder.
        on_damaged: ``stop`` names the files that cannot be read; ``skip`` leaves them out.

    The others: see :class:`ganvas.data.datamodule.TensorDataModule`.
    """

    val_fraction: float = 0.1
    test_fraction: float = 0.1
    cache_dir: str | None = None
    on_damaged: str = "stop"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_policy(self.on_damaged)
        val, test = self.val_fraction, self.test_fraction
        require(0 <= val < 1, "val_fraction", val, "must be in [0, 1); 0.1 is usual")
        left = f"must be in [0, {1 - val:g}), which val_fraction={val} leaves; 0.1 is usual"
        require(0 <= test < 1 - val, "test_fraction", test, left)
        require(self.cache_dir != "", "cache_dir", "", "is empty; name a folder, or null")

    def _hold_out(
        self, count: int, *, given: Collection[str], purpose: str, label: Tensor | None
    ) -> dict[str, Tensor]:
        """Numbers of the ``count`` training files, int64, for ``train`` and each split not ``given``.

        Of each class (``label``, int64 [count]) its share, where there are labels.
        """
        fractions = {"val": self.val_fraction, "test": self.test_fraction}
        sizes = {name: int(count * part) for name, part in fractions.items() if name not in given}
        counts = list(sizes.values())
        parts = (
            hold_out(count, counts, purpose) if label is None else hold_out_of_classes(label, counts, purpose)
        )
        return dict(zip(("train", *sizes), parts))
