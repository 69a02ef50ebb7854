"""Data sets over the files of a try, and everything that they hand out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ganvas.data.datamodule import SPLITS, TensorDataModule
from ganvas.data.image_folder import ImageFolder
from ganvas.data.sound_folder import SoundFolder
from ganvas.data.text_files import TextFiles
from ganvas.data.webdataset import WebDataset


class BelievedError(Exception):
    """A reader took what was damaged for sound."""


def image_folder(root: str, **more: Any) -> ImageFolder:
    """Images whose cache is the folder ``image_cache``."""
    options = {"image_size": 8, "channels": 3, "cache_dir": "image_cache", "batch_size": 1}
    return ImageFolder(root=root, **{**options, **more})


def web_dataset(root: str, **more: Any) -> WebDataset:
    """Shards whose index is in the folder ``shard_index``."""
    options = {"image_size": 8, "channels": 3, "cache_dir": "shard_index", "num_workers": 0, "batch_size": 1}
    return WebDataset(root=root, **{**options, **more})


def sound_folder(root: str, **more: Any) -> SoundFolder:
    """Sounds whose cache is the folder ``sound_cache``."""
    options: dict[str, Any] = {"crop_length": 100, "cache_dir": "sound_cache", "batch_size": 1}
    return SoundFolder(root=root, **{**options, **more})


def text_files(root: str, **more: Any) -> TextFiles:
    """Texts in short windows."""
    options: dict[str, Any] = {"crop_length": 8, "batch_size": 1}
    return TextFiles(root=root, **{**options, **more})


def content_of(data: TensorDataModule, limit: int | None = None) -> dict[str, list[Any]]:
    """Every sample and label, by split, as plain values; the first ``limit`` of each split."""
    data.prepare()
    found: dict[str, list[Any]] = {}
    for name in SPLITS:
        batches = list(data.batches(name, 16, limit))
        found[name] = [
            (
                list(batch.x.shape),
                batch.x.numpy().tobytes(),
                None if batch.label is None else batch.label.tolist(),
            )
            for batch in batches
        ]
        data.describe_split(name, limit)
    return found


def reading(make: Callable[[], TensorDataModule], limit: int | None = None) -> Callable[[], None]:
    """What reads all that a data set holds, or the first ``limit`` samples of each split."""

    def read() -> None:
        content_of(make(), limit)

    return read


def expecting(make: Callable[[], TensorDataModule], sound: dict[str, list[Any]]) -> Callable[[], None]:
    """The same where the data are sound and what is kept beside them is not."""

    def read() -> None:
        if content_of(make()) != sound:
            raise BelievedError("other images or labels than those of the files")

    return read
