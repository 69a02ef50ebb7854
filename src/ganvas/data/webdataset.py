"""Sharded tar files in the WebDataset convention, decoded as they are needed: data larger than memory."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
from torch import Tensor, from_numpy

from ganvas.data.datamodule import SPLITS
from ganvas.data.files.damaged import describe as describe_damage
from ganvas.data.files.damaged import refuse
from ganvas.data.files.decode import Decoding
from ganvas.data.files.formats import IMAGES, formats
from ganvas.data.files.tree import describe
from ganvas.data.kinds.own_images import OwnImages
from ganvas.data.loading.check import check_labels
from ganvas.data.loading.loader import TensorLoader
from ganvas.data.loading.stored import Stored
from ganvas.data.shard.images import ShardImages
from ganvas.data.shard.index import ShardIndex, index_shards
from ganvas.data.shard.index_file import IndexFile
from ganvas.data.shard.listing import expand, find_shards, passed_over
from ganvas.data.shard.loader import ShardLoader
from ganvas.errors import OptionError, require
from ganvas.files.folders import expanded


@dataclass(kw_only=True, eq=False, repr=False)
class WebDataset(OwnImages):
    """Images in .tar shards on a disk that every process sees; a sample's members share their name up to
    the first dot: ``0017.png`` (or .jpg, .webp, .npy ...) with ``0017.cls`` or ``0017.json`` where it has a
    label.

    The headers are read once, into an index that is kept beside the shards. Order and augmentation are
    functions of (seed, epoch, number), as with data in memory; how reads stay near-sequential is said in
    :mod:`ganvas.data.shard.loader`, how an image becomes a square in
    :class:`ganvas.data.files.decode.Decoding`.
    An .npy is uint8 [H, W] or [H, W, C].

    Args:
        root: folder of the shards; their names, or those of subfolders, say ``train``, ``val`` and ``test``.
        shards: training shards instead: ``train-{000000..000063}.tar`` (the braces may be left out),
            ``train-*.tar`` or a list of such, below ``root`` where that is given.
        val_shards: likewise; None takes those of ``root``, or holds out of training.
        test_shards: likewise.
        image_extension: of the image in a sample, e.g. ``png`` or ``input.jpg``; None takes the only one.
        label_field: of the label in a .json; a .cls goes before it.
        shuffle_window: samples, neighbours in the shuffled shards, that are mixed with each other; None mixes
            all, and reads at random.
        cache_dir: folder of the index; None takes one beside ``root``, or the user's cache folder.
        on_damaged: ``stop`` at the first image that cannot be read, when it is read; ``skip`` decodes all
            once, with the index, and leaves out what cannot be read.
        num_workers: processes that read and decode ahead; 0 does it between two steps.
        num_classes: None takes the largest label that is there, plus 1.

    The others: see :class:`ganvas.data.kinds.own_images.OwnImages`.

    Raises:
        OptionError: an argument out of its range; with :meth:`prepare` whatever the shards' headers and
            labels show; an image that cannot be decoded when it is read, by its shard and key.
    """

    shards: str | list[str] | None = None
    val_shards: str | list[str] | None = None
    test_shards: str | list[str] | None = None
    image_extension: str | None = None
    label_field: str = "label"
    shuffle_window: int | None = 1024
    num_workers: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        mixes = self.shuffle_window is None or self.shuffle_window >= 1
        reason = "must be at least 1 sample; null mixes all"
        require(mixes, "shuffle_window", self.shuffle_window, reason)
        if self.image_extension is not None:
            self.image_extension = self.image_extension.lower().lstrip(".")
        self._indexes: dict[str, ShardIndex] = {}

    def load(self) -> dict[str, Stored]:
        """The splits; their images are decoded when they are asked for."""
        with self._blamed():
            found = self._find()
            files = {name: self._index_file(paths) for name, paths in found.items() if paths}
            kept = {name: file.read() for name, file in files.items()}
            fresh = [name for name in kept if kept[name] is None]
            indexes = {name: kept[name] or self._read(found[name]) for name in kept}
            splits = self._stored(self._held_out(indexes))
            self._check(splits)
            self._say_what_is_there(found, indexes)
            for reason in (reason for file in files.values() for reason in file.not_believed):
                self.note(f"{self._named()[1]}: {reason}; it is not used")
            for stored in splits.values():
                stored.x[:1]  # channels, size and kind are the options'; whether it is an image shows here
            for name in fresh:
                files[name].write(indexes[name])
            folders = sorted({str(file.folder) for file in files.values() if file.folder is not None})
            if folders:
                self.note(f"{self._named()[1]}: the index is kept in {', '.join(folders)} (data.cache_dir)")
        return splits

    def prepare(self) -> None:
        if self._splits is None:
            self._splits = self.load()
            self._leave_fraction()

    def _check(self, splits: dict[str, Stored]) -> None:
        classes = self.count_classes(splits)
        check_labels(splits, declared=self.num_classes, classes=classes)
        self.check_counts(classes, len(splits["train"]))
        labelled = splits["train"].label is not None
        for name in ("val", "test"):
            same = not len(splits[name]) or (splits[name].label is not None) == labelled
            one, other = ("train", name) if labelled else (name, "train")
            reason = f"the {one} shards have labels and the {other} shards have none; give all of them some"
            require(same, "shards", self.shards, reason)
        self.num_classes = classes

    @contextmanager
    def _blamed(self) -> Iterator[None]:
        """What is wrong with a shard is wrong with the option that named it; the reason says which it is."""
        try:
            yield
        except OptionError as error:
            if error.option != "shards":
                raise
            raise OptionError(*self._named(error.value), error.reason) from error
        except OSError as error:
            option, value = self._named()
            reason = f"cannot be read ({error.strerror or error}); allow that, or name another"
            raise OptionError(option, value, reason) from error

    def _named(self, shards: object = None) -> tuple[str, object]:
        """The option that named the shards, and its value."""
        by_root = self.root is not None and self.shards is None
        return ("root", self.root) if by_root else ("shards", self.shards if shards is None else shards)

    def _find(self) -> dict[str, list[Path]]:
        named = {"train": self.shards, "val": self.val_shards, "test": self.test_shards}
        told = "name a folder of .tar shards, or the shards; data.root=/path"
        require(self.root is not None or self.shards is not None, "root", "null", told)
        root = None if self.root is None else expanded(self.root, "root")
        found = {name: list[Path]() for name in SPLITS}
        if root is not None and self.shards is None:
            found = find_shards(root)
        for name, patterns in named.items():
            option = "shards" if name == "train" else f"{name}_shards"
            if patterns is not None:
                listed = [patterns] if isinstance(patterns, str) else patterns
                require(bool(listed), option, "[]", "is empty; name shards, e.g. train-{000000..000063}.tar")
                found[name] = [path for one in listed for path in expand(one, option=option, root=root)]
        return found

    def _index_file(self, paths: Sequence[Path]) -> IndexFile:
        folder = (
            expanded(self.root, "root")
            if self.root is not None
            else Path(os.path.commonpath([path.absolute().parent for path in paths]))
        )
        options: list[object] = [self.image_extension, self.label_field]
        if self.on_damaged == "skip":
            options += [self._how().key(), formats()]  # another Pillow may read what is left out
        return IndexFile(paths, root=folder, cache_dir=self.cache_dir, options=options)

    def _read(self, paths: Sequence[Path]) -> ShardIndex:
        index = index_shards(paths, image_extension=self.image_extension, label_field=self.label_field)
        if self.on_damaged == "stop":
            return index
        damage = ShardImages(index, how=self._how(), named=self._named()).find_damage()
        if len(damage) == len(index):
            refuse(damage, "shards", paths[0].parent, count=len(index), kind=IMAGES)
        sound = np.ones(len(index), dtype=bool)
        sound[[one.row for one in damage]] = False
        return replace(index.rows(sound.nonzero()[0]), damage=tuple(damage))

    def _held_out(self, indexes: dict[str, ShardIndex]) -> dict[str, ShardIndex]:
        """Every split's index; what has no shards comes out of training, the same for every seed."""
        train = indexes["train"]
        label = None if train.label is None else from_numpy(train.label)
        rows = self._hold_out(len(train), given=indexes, purpose="webdataset", label=label)
        return {name: train.rows(rows[name].numpy()) if name in rows else indexes[name] for name in SPLITS}

    def _stored(self, indexes: dict[str, ShardIndex]) -> dict[str, Stored]:
        self._indexes = dict(indexes)
        return {name: self._images_of(index) for name, index in indexes.items()}

    def _images_of(self, index: ShardIndex) -> Stored:
        images = ShardImages(index, how=self._how(), named=self._named())
        label = None if index.label is None else from_numpy(index.label)
        return Stored(cast("Tensor", images), label)  # it answers what a split is asked

    def _part_of_train(self, rows: Tensor) -> Stored:
        """See the base; nothing is decoded."""
        self._indexes["train"] = self._indexes["train"].rows(rows.numpy())
        return self._images_of(self._indexes["train"])

    def _say_what_is_there(self, found: dict[str, list[Path]], indexes: dict[str, ShardIndex]) -> None:
        total, taken = sum(map(len, indexes.values())), {path for paths in found.values() for path in paths}
        counts = [
            f"{name} {len(index):,}" + ("" if name in indexes or not len(index) else " (held out)")
            for name, index in self._indexes.items()
        ]
        classes = "no classes" if self.num_classes is None else f"{self.num_classes:,} classes"
        text = f"{total:,} images in {len(taken):,} shards, {classes}; {', '.join(counts)}"
        if self.root is not None and self.shards is None:
            left_out = describe(passed_over(expanded(self.root, "root"), taken), IMAGES)
            text += f"; passed over: {left_out or 'nothing'}"
        self.note(f"{self._named()[1]}: {text}")
        damage = [one for index in indexes.values() for one in index.damage]
        if damage:
            told = f"{len(damage):,} images cannot be read and are left out"
            self.note(f"{self._named()[1]}: {told}: {describe_damage(damage)}")

    def fingerprint(self) -> dict[str, object]:
        """Counts and shapes per split; ``train_sha256`` is of keys, lengths, times and labels
        (:meth:`ganvas.data.shard.index.ShardIndex.sha256`) and of the shape that images are given."""
        self.prepare()
        shapes = {
            name: {"count": self.num_samples(name), "shape": list(self.sample_shape)} for name in SPLITS
        }
        return {"splits": shapes, "train_sha256": self._sha256("train", None)}

    def _sha256(self, name: str, limit: int | None) -> str:
        if (name, limit) not in self._sha256_of:
            self.prepare()
            told = f"{self._indexes[name].sha256(limit)} {self.sample_shape}"
            how, usual = self._how(), Decoding(channels=self.channels, image_size=self.image_size)
            if how != usual:
                told += f" {how.key()}"
            self._sha256_of[name, limit] = hashlib.sha256(told.encode()).hexdigest()
        return self._sha256_of[name, limit]

    def _make_loader(self, name: str) -> Callable[..., TensorLoader]:
        counts = self._indexes[name].counts().astype(np.int64)
        return partial(ShardLoader, counts=counts, window=self.shuffle_window)
