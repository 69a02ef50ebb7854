"""What everything beside networks asks of a kind of samples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, ClassVar, NamedTuple

from torch import Tensor

from ganvas.errors import OptionError

SHEETS = (".png", ".webp", ".jpg", ".jpeg")  # endings of files that show samples as one image


class Measure(NamedTuple):
    """A distance of a sample to its reconstruction, whose mean over samples is reported.

    Attributes:
        name: under which it is reported.
        better: ``min`` or ``max``.
        protocol: what it rests on, as plain values.
        of: originals and reconstructions [B, ...], float64 (or integers), to float64 [B].
    """

    name: str
    better: str
    protocol: Mapping[str, object]
    of: Callable[[Tensor, Tensor], Tensor]


class Clip(NamedTuple):
    """A sound to be played.

    Attributes:
        x: float32 [C, T] in [-1, 1], on the CPU.
        rate: values a second.
    """

    x: Tensor
    rate: int


class Modality(ABC):
    """A kind of samples: how they are stored, shown, written, read and measured.

    A data module has one (``TensorDataModule.modality``). A sample is ``x[i]`` of what networks take,
    [B, ...]; its stored form is what lies in memory, in caches and in files.

    Attributes:
        name: of one sample, e.g. ``image``; bits are reported as ``bits_per_<name>``.
        plural: of several.
        endings: of files of one sample each, the usual one first; empty where there are none.
        sheets: of files that show several samples at once, the usual one first.
        is_discrete: whether values are numbers of symbols (int64), of which no difference can be taken.
    """

    name: ClassVar[str]
    plural: ClassVar[str]
    endings: ClassVar[tuple[str, ...]] = ()
    sheets: ClassVar[tuple[str, ...]] = SHEETS
    is_discrete: ClassVar[bool] = False

    @abstractmethod
    def wrong_with(self, stored: Tensor) -> str | None:
        """Why a split [N, ...] cannot be samples of this kind as they are stored; None where it can."""

    @abstractmethod
    def to_model(self, stored: Tensor) -> Tensor:
        """Stored samples [B, ...] to what networks take."""

    @abstractmethod
    def to_stored(self, x: Tensor) -> Tensor:
        """What networks make [B, ...] to stored samples; values outside of the range are clamped."""

    @abstractmethod
    def pictures(self, x: Tensor) -> Tensor:
        """Samples [B, ...] as an image each, uint8 [B, 1 or 3, H, W] on the CPU."""

    def clips(self, x: Tensor) -> Sequence[Clip]:
        """Samples [B, ...] as sounds to be played; none where they cannot be heard."""
        return ()

    def text(self, x: Tensor) -> str | None:
        """Samples [B, ...] as text for people, in Markdown; None where they are not read."""
        return None

    def arrays(self, x: Tensor) -> Tensor:
        """Samples [..., *shape] as a .npz holds them."""
        return self.to_stored(x).cpu()

    def write(self, file: BinaryIO, ending: str, stored: Tensor) -> None:
        """Writes one stored sample to a file that is open for it, in the format of one of ``endings``."""
        raise OptionError("--out", ending, f"{self.plural} have no files of their own; name a .npz")

    def read(self, path: Path) -> Tensor:
        """A stored sample of any size from a file of one.

        Raises:
            ValueError: what is wrong with the file.
        """
        raise ValueError(f"{self.plural} have no files of their own")

    def units(self, shape: Sequence[int]) -> Mapping[str, float]:
        """By what bits of a sample of this shape are told beside ``bits_per_<name>``: name to divisor."""
        return {}

    def measures(self, shape: Sequence[int]) -> Sequence[Measure]:
        """The distances that are reported of reconstructions of this shape, beside the squared error.

        Raises:
            OptionError: ``sample_shape``: samples too small to be measured.
        """
        return ()
