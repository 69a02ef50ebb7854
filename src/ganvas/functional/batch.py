"""The one shape in which every data set hands over its samples."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """What a recipe gets.

    Attributes:
        x: the samples; images float32 [B, C, H, W] in [-1, 1], points float32 [B, 2].
        label: classes, int64 [B], or None where the data has none.
    """

    x: Tensor
    label: Tensor | None


class StoredBatch(NamedTuple):
    """What a loader hands over: rows as they are stored, before the device's share of the work.

    Attributes:
        x: images uint8 [B, C, H, W], or points float32 [B, 2].
        label: int64 [B] or None.
        row: int64 [B], each sample's number in the split; augmentation is a function of it.
    """

    x: Tensor
    label: Tensor | None
    row: Tensor


class DataFacts(NamedTuple):
    """What an extractor and a metric may know of a data set before it is read through.

    Attributes:
        sample_shape: [C, H, W] of images in [-1, 1], [2] of points.
        num_classes: classes of the labels, None without labels.
        train_sha256: of all training samples and labels as stored; what belongs to a data set is kept by it.
        name: the data module's class, for messages.
        overrides: what chooses these data on the command line, e.g. ``data=digits data.image_size=16``.
        parts: of data that are put together from images of other data, channel by channel: the facts of
            those.
        train_fraction: share of the training samples that is trained on.
        modality: what the samples are (``ganvas.modality.interface.Modality``); None: as their shape says.
    """

    sample_shape: list[int]
    num_classes: int | None
    train_sha256: str
    name: str
    overrides: str = "data=..."
    parts: DataFacts | None = None
    train_fraction: float = 1.0
    modality: object | None = None
