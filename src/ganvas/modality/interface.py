"""What everything beside networks asks of a kind of samples."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d

from ganvas.errors import OptionError
from ganvas.modality.drawing import sheets
from ganvas.modality.drawing.files import IMAGES

SMALLEST_VARIANCE = 1e-12  # below which a deviation has no gradient: its slope is endless at 0
SHEETS = IMAGES  # endings of files that show samples as one image


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
        reads: more endings of files that can be read.
        sheets: of files that show several samples at once, the usual one first.
        sides: how many last sides of a sample places lie along: 1 of what runs on, 2 of images.
        is_discrete: whether values are numbers of symbols (int64), of which no difference can be taken.
        has_pixels: whether a stored sample is an image uint8 [C, H, W], a value a pixel: what ``--scale``,
            files of images and lossless codes of them ask for.
        has_pictures: whether each sample can be drawn by itself.
        together: whether many samples are shown in one drawing, rather than a few side by side.
        compared_as: what values are compared as, for protocols.
        normalization: what networks take of a sample, in words for those who get exported programs.
        has_psnr: whether the squared error is told as a peak signal-to-noise ratio too, of the range [0, 1].
        reports: the metrics that reconstructions may get by it, each with its better way (None: neither).
    """

    name: ClassVar[str]
    plural: ClassVar[str]
    endings: ClassVar[tuple[str, ...]] = ()
    reads: ClassVar[tuple[str, ...]] = ()
    sheets: ClassVar[tuple[str, ...]] = SHEETS
    sides: ClassVar[int] = 1
    is_discrete: ClassVar[bool] = False
    has_pixels: ClassVar[bool] = False
    has_pictures: ClassVar[bool] = True
    together: ClassVar[bool] = False
    compared_as: ClassVar[str] = "as given"
    normalization: ClassVar[str] = "samples are in [-1, 1]"
    has_psnr: ClassVar[bool] = False
    reports: ClassVar[Mapping[str, str | None]] = {}

    def __eq__(self, other: object) -> bool:
        """Whether samples of both are treated alike."""
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(type(self))

    @property
    def blank(self) -> int:
        """Of symbols the one that is drawn where none is to be seen."""
        return 0

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

    def example(self, shape: Sequence[int]) -> Tensor:
        """A sample [1, *shape] as networks take it, all of it zeros or silence as they are stored."""
        dtype = torch.int64 if self.is_discrete else torch.float32
        return self.to_model(self.to_stored(torch.zeros(1, *shape, dtype=dtype)))

    def clips(self, x: Tensor) -> Sequence[Clip]:
        """Samples [B, ...] as sounds to be played; none where they cannot be heard."""
        return ()

    def readings(self, x: Tensor) -> Sequence[str]:
        """Samples [B, ...] as plain text each, for people; none where they are not read."""
        return ()

    def text(self, x: Tensor) -> str | None:
        """Samples [B, ...] as text for people, in Markdown; None where they are not read."""
        return None

    def arrays(self, x: Tensor) -> Tensor:
        """Samples [..., *shape] as a .npz holds them."""
        return self.stored_arrays(self.to_stored(x).cpu())

    def stored_arrays(self, stored: Tensor) -> Tensor:
        """Stored samples [..., *shape] as a .npz holds them."""
        return stored

    def write(self, file: BinaryIO, ending: str, stored: Tensor) -> None:
        """Writes one stored sample to a file that is open for it, in the format of one of ``endings``."""
        raise OptionError("--out", ending, f"{self.plural} have no files of their own; name a .npz")

    def write_several(
        self, file: BinaryIO, ending: str, stored: Tensor, beside: Tensor | None = None
    ) -> None:
        """Writes stored samples one after another, in the format of one of ``sheets`` that is no picture.

        Args:
            beside: as many others, each of which comes behind its sample.
        """
        raise OptionError("--out", ending, f"{self.plural} have no such files; name a {SHEETS[0]}")

    def read(self, path: Path) -> Tensor:
        """A stored sample of any size from a file of one.

        Raises:
            ValueError: what is wrong with the file.
        """
        raise ValueError(f"{self.plural} have no files of their own")

    def typed(self, words: str) -> Tensor | None:
        """A stored sample of any size of what was typed; None where samples are not typed."""
        return None

    def compared(self, x: Tensor) -> Tensor:
        """Samples as values that are compared, see ``compared_as``."""
        return x

    def summary(self, x: Tensor, side: int) -> Tensor:
        """Samples [B, ...] as few numbers float32 [B, F], by which sets are compared without a network.

        Here the values themselves where these are at most (2 side)^2; of more, mean and standard deviation of
        each of 2 side^2 equal parts, in order.

        Args:
            side: of images, the largest side in pixels; others are as coarse.
        """
        values = x.float().flatten(1)
        if values.shape[1] <= 4 * side**2:
            return values
        parts = 2 * side**2
        mean, square = (adaptive_avg_pool1d(one[:, None], parts)[:, 0] for one in (values, values.square()))
        return torch.cat([mean, (square - mean.square()).clamp(min=SMALLEST_VARIANCE).sqrt()], 1)

    def summary_protocol(self, shape: Sequence[int], side: int) -> dict[str, object]:
        """What names :meth:`summary` of samples of this shape completely, as plain values."""
        if math.prod(shape) <= 4 * side**2:
            return values_protocol(side)
        kept = f"mean and standard deviation of {2 * side**2} equal parts"
        return {"name": "parts", "kept": kept, "size": side, "value_range": "as given", "dtype": "float32"}

    def units(self, shape: Sequence[int]) -> Mapping[str, float]:
        """By what bits of a sample of this shape are told beside ``bits_per_<name>``: name to divisor."""
        return {}

    def measures(self, shape: Sequence[int]) -> Sequence[Measure]:
        """The distances that are reported of reconstructions of this shape, beside the squared error.

        Raises:
            OptionError: ``sample_shape``: samples too small to be measured.
        """
        return ()

    def draw(
        self,
        x: Tensor,
        *,
        columns: int | None = None,
        background: Tensor | None = None,
        scale: int | None = None,
    ) -> Tensor:
        """Samples [N, ...] as one image, uint8 [1 or 3, H, W] on the CPU.

        Args:
            columns: pictures in a row of the grid; about the square root of N by default.
            background: others to compare with, drawn beneath where samples are shown together.
            scale: see :func:`ganvas.functional.images.grid`.

        Raises:
            OptionError: samples that cannot be drawn.
        """
        return sheets.draw(self.pictures(x), columns=columns, scale=scale)

    def draw_pairs(self, original: Tensor, reconstruction: Tensor, *, scale: int | None = None) -> Tensor:
        """Originals beside their reconstructions [N, ...], as one image, uint8 [1 or 3, H, W]."""
        return sheets.draw_pairs(self.pictures(original), self.pictures(reconstruction), scale=scale)

    def draw_codes(
        self,
        original: Tensor,
        reconstruction: Tensor,
        indices: Sequence[Tensor],
        codebook_sizes: Sequence[int],
        *,
        scale: int | None = None,
    ) -> Tensor:
        """Originals, reconstructions and codes; see :func:`ganvas.modality.drawing.sheets.draw_codes`."""
        pictures = self.pictures(original), self.pictures(reconstruction)
        return sheets.draw_codes(*pictures, indices, codebook_sizes, scale=scale)

    def draw_rows(self, x: Tensor, *, scale: int | None = None) -> Tensor:
        """Samples [R, S, ...], each row from one end to another: a grid, or a path for each row."""
        return self.draw(x.flatten(0, 1), columns=x.shape[1], scale=scale)

    def draw_walk(self, x: Tensor, *, columns: int | None = None, scale: int | None = None) -> list[Tensor]:
        """Frames of samples [F, N, ...] that go round."""
        return [self.draw(frame, columns=columns, scale=scale) for frame in x]

    def draw_neighbours(self, x: Tensor, neighbours: Tensor, *, scale: int | None = None) -> Tensor:
        """Samples [N, ...] in a column, and right of each its neighbours [N, k, ...]."""
        near = self.pictures(neighbours.flatten(0, 1)).unflatten(0, tuple(neighbours.shape[:2]))
        return sheets.draw_neighbours(self.pictures(x), near, scale=scale)


def values_protocol(side: int) -> dict[str, object]:
    """Of a :meth:`Modality.summary` that is the values themselves, of images averaged down."""
    return {
        "name": "pixels",
        "resizer": "area average, not enlarged",
        "size": side,
        "value_range": "[-1, 1], not clamped",
        "dtype": "float32",
    }
