"""The base of images of the user's own: of any mode and size, in splits or not."""

from __future__ import annotations

from dataclasses import dataclass, field

from ganvas.data.files.decode import MAX_PIXELS, Decoding
from ganvas.data.kinds.own_files import OwnFiles


@dataclass(kw_only=True, eq=False, repr=False)
class OwnImages(OwnFiles):
    """Images decoded to squares. How an image becomes a square is said in
    :class:`ganvas.data.files.decode.Decoding`.

    Args:
        channels: 1 (grey) or 3 (colour): what the images are turned into.
        image_size: side that they are resized to, in pixels.
        background: colour of what is transparent, and around an image that is padded: ``black``, ``white``,
            another name of CSS, ``#rrggbb`` or [red, green, blue].
        crop: how an image becomes a square: ``center``, ``pad`` or ``stretch``.
        max_pixels: an image of more counts as damaged: it may be a decompression bomb.
        num_classes: None takes the classes that are there.

    The others: see :class:`ganvas.data.kinds.own_files.OwnFiles`.
    """

    channels: int = 3
    image_size: int = 64
    background: str | int | list[int] = "black"  # no number is a colour; it is refused with the reason
    crop: str = "center"
    max_pixels: int = MAX_PIXELS
    resize_mode: str = field(default="auto", init=False)  # decoding resizes

    def __post_init__(self) -> None:
        super().__post_init__()
        self._how()  # which checks them

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
