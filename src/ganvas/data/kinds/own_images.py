"""The base of images of the user's own: of any mode and size, in splits or not."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from torch import Tensor

from ganvas.data.datamodule import TensorDataModule
from ganvas.data.loading.stored import hold_out
from ganvas.errors import require


@dataclass(kw_only=True, eq=False, repr=False)
class OwnImages(TensorDataModule):
    """Images decoded to squares; a split that the user does not give is held out of the training images,
    the same for every seed. How an image becomes a square is said in :func:`ganvas.data.files.decode.decode`.

    Args:
        val_fraction: part of the training images held out where there is no ``val``.
        test_fraction: likewise for ``test``.
        cache_dir: folder of what is read once; None takes one beside ``root``, or the user's cache folder.
        channels: 1 (grey) or 3 (colour): what the images are turned into.
        image_size: side that they are resized to, in pixels.
        num_classes: None takes the classes that are there.

    The others: see :class:`ganvas.data.datamodule.TensorDataModule`.
    """

    val_fraction: float = 0.1
    test_fraction: float = 0.1
    cache_dir: str | None = None
    channels: int = 3
    image_size: int = 64
    resize_mode: str = field(default="auto", init=False)  # decoding resizes

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.channels in (1, 3), "channels", self.channels, "must be 1 (grey) or 3 (colour)")
        val, test = self.val_fraction, self.test_fraction
        require(0 <= val < 1, "val_fraction", val, "must be in [0, 1); 0.1 is usual")
        left = f"must be in [0, {1 - val:g}), which val_fraction={val} leaves; 0.1 is usual"
        require(0 <= test < 1 - val, "test_fraction", test, left)
        require(self.cache_dir != "", "cache_dir", "", "is empty; name a folder, or null")

    def _hold_out(self, count: int, *, given: Collection[str], purpose: str) -> dict[str, Tensor]:
        """Numbers of the ``count`` training images, int64, for ``train`` and each split not ``given``."""
        fractions = {"val": self.val_fraction, "test": self.test_fraction}
        sizes = {name: int(count * part) for name, part in fractions.items() if name not in given}
        return dict(zip(("train", *sizes), hold_out(count, list(sizes.values()), purpose)))
