"""The base of images of the user's own: of any mode and size, in splits or not."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from torch import Tensor

from ganvas.data.datamodule import TensorDataModule
from ganvas.data.files.damaged import require_policy
from ganvas.data.files.decode import MAX_PIXELS, Decoding
from ganvas.data.loading.stored import hold_out, hold_out_of_classes
from ganvas.errors import require


@dataclass(kw_only=True, eq=False, repr=False)
class OwnImages(TensorDataModule):
    """Images decoded to squares; a split that the user does not give is held out of the training images,
    the same for every seed. How an image becomes a square is said in
    :class:`ganvas.data.files.decode.Decoding`.

    Args:
        val_fraction: part of the training images held out where there is no ``val``.
        test_fraction: likewise for ``test``.
        cache_dir: folder of what is read once; None takes one beside ``root``, or the user's cache folder.
        channels: 1 (grey) or 3 (colour): what the images are turned into.
        image_size: side that they are resized to, in pixels.
        background: colour of what is transparent, and around an image that is padded: ``black``, ``white``,
            another name of CSS, ``#rrggbb`` or [red, green, blue].
        crop: how an image becomes a square: ``center``, ``pad`` or ``stretch``.
        max_pixels: an image of more counts as damaged: it may be a decompression bomb.
        on_damaged: ``stop`` names the images that cannot be read; ``skip`` leaves them out.
        num_classes: None takes the classes that are there.

    The others: see :class:`ganvas.data.datamodule.TensorDataModule`.
    """

    val_fraction: float = 0.1
    test_fraction: float = 0.1
    cache_dir: str | None = None
    channels: int = 3
    image_size: int = 64
    background: str | int | list[int] = "black"  # no number is a colour; it is refused with the reason
    crop: str = "center"
    max_pixels: int = MAX_PIXELS
    on_damaged: str = "stop"
    resize_mode: str = field(default="auto", init=False)  # decoding resizes

    def __post_init__(self) -> None:
        super().__post_init__()
        self._how()  # which checks them
        require_policy(self.on_damaged)
        val, test = self.val_fraction, self.test_fraction
        require(0 <= val < 1, "val_fraction", val, "must be in [0, 1); 0.1 is usual")
        left = f"must be in [0, {1 - val:g}), which val_fraction={val} leaves; 0.1 is usual"
        require(0 <= test < 1 - val, "test_fraction", test, left)
        require(self.cache_dir != "", "cache_dir", "", "is empty; name a folder, or null")

    def describe_split(self, name: str, limit: int | None = None) -> dict[str, object]:
        """As of every data set, and in ``decoding`` what is not as usual of how images become squares.

        Which images are there, by ``max_pixels`` and ``on_damaged``, is in ``samples`` and ``sha256``.
        """
        how, usual = self._how(), Decoding(channels=self.channels, image_size=self.image_size)
        options = {"crop": how.crop, "background": list(how.colour)}
        defaults = {"crop": usual.crop, "background": list(usual.colour)}
        chosen = {option: value for option, value in options.items() if value != defaults[option]}
        return super().describe_split(name, limit) | ({"decoding": chosen} if chosen else {})

    def _how(self) -> Decoding:
        return Decoding(
            channels=self.channels,
            image_size=self.image_size,
            background=self.background,
            crop=self.crop,
            max_pixels=self.max_pixels,
        )

    def _hold_out(
        self, count: int, *, given: Collection[str], purpose: str, label: Tensor | None
    ) -> dict[str, Tensor]:
        """Numbers of the ``count`` training images, int64, for ``train`` and each split not ``given``.

        Of each class (``label``, int64 [count]) its share, where there are labels.
        """
        fractions = {"val": self.val_fraction, "test": self.test_fraction}
        sizes = {name: int(count * part) for name, part in fractions.items() if name not in given}
        counts = list(sizes.values())
        parts = (
            hold_out(count, counts, purpose) if label is None else hold_out_of_classes(label, counts, purpose)
        )
        return dict(zip(("train", *sizes), parts))
