"""The base of every data set: whole splits in memory, checked before a run writes anything."""

from __future__ import annotations

import hashlib
import logging
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar
from weakref import WeakSet

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor

from ganvas.data.loading.augment import flip, shift
from ganvas.data.loading.check import (
    check_channels,
    check_labels,
    check_memory,
    check_num_classes,
    check_splits,
    require_positive,
)
from ganvas.data.loading.fraction import check_fraction, describe_fraction, kept_rows, require_fraction
from ganvas.data.loading.loader import TensorLoader, from_the_start, position_of
from ganvas.data.loading.overrides import overrides_of
from ganvas.data.loading.resize import fit_images, require_mode
from ganvas.data.loading.stored import Stored, in_order
from ganvas.errors import OptionError, require
from ganvas.files.text import one_line
from ganvas.functional.batch import Batch, DataFacts, StoredBatch
from ganvas.modality.guess import modality_of_split
from ganvas.modality.image import Image
from ganvas.modality.interface import Modality

log = logging.getLogger("ganvas.data")

SPLITS = ("train", "val", "test")
_MAX_WORKERS = 128  # each is a process that imports torch


@dataclass(kw_only=True, eq=False, repr=False)
class TensorDataModule(LightningDataModule):
    """Splits held as tensors; a subclass says how they are read (:meth:`load`), and may declare a modality.

    Batches leave the loader as they are stored and become what networks take on the device, training images
    augmented.

    Options are keyword-only fields of a dataclass, each stated once. A subclass that is decorated alike adds
    fields of its own, names a field again to change its default, and takes an option away with
    ``field(default=..., init=False)``: the signature of its constructor lists all of its options with their
    types, and nothing else. ``__post_init__`` checks what a type cannot say, after that of its base.

    Args:
        root: folder of the files, or None where the data set needs none.
        batch_size: global batch, samples of all ranks together.
        num_workers: loader processes; 0 is fastest for data in memory.
        seed: of order and augmentation.
        channels: declared channels of an image, checked against the data; None for points.
        image_size: side of the images handed out, in pixels; None for points.
        num_classes: declared number of classes, checked against the data; None takes what is there.
        resize_mode: how native images become ``image_size``: ``auto``, ``pad`` or ``resize``
            (:func:`ganvas.data.loading.resize.fit_images`).
        train_fraction: share of the training samples that is trained on, the same for every seed; of each
            class its share (:func:`ganvas.data.loading.fraction.kept_rows`). ``val`` and ``test`` stay whole.
        horizontal_flip: mirrors half of the training images.
        random_shift: largest shift of a training image each way, in pixels.

    Attributes:
        notes: what :meth:`prepare` had to say of the user's files, a line each.
        class_names: by the classes' numbers, where the data name them; of a user's files, once they are read.
        modality_kind: the class of ``modality``, where every instance has it.

    Raises:
        OptionError: an argument out of its range; more with :meth:`prepare`.
    """

    names_of_classes: ClassVar[Sequence[str]] = ()
    modality_kind: ClassVar[type[Modality] | None] = None
    root: str | None = None
    batch_size: int = 64
    num_workers: int = 0
    seed: int = 0
    channels: int | None = None
    image_size: int | None = None
    num_classes: int | None = None
    resize_mode: str = "auto"
    train_fraction: float = 1.0
    horizontal_flip: bool = False
    random_shift: int = 0

    def __post_init__(self) -> None:
        super().__init__()
        require(self.batch_size > 0, "batch_size", self.batch_size, "must be positive; 64 is usual")
        require(self.root != "", "root", "", "is empty; name a folder")
        rule = f"must be from 0 to {_MAX_WORKERS} processes; 0 is fastest in memory"
        require(0 <= self.num_workers <= _MAX_WORKERS, "num_workers", self.num_workers, rule)
        require_positive("channels", self.channels, "1 grey, 3 colour")
        require_positive("image_size", self.image_size, "64 pixels are usual")
        require_positive("num_classes", self.num_classes, "null takes what is there")
        require_mode(self.resize_mode)
        require_fraction(self.train_fraction)
        points, limit = self.image_size is None, self.image_size or 1
        require(
            0 <= self.random_shift < limit,
            "random_shift",
            self.random_shift,
            f"must be from 0 to {limit - 1} pixels" + ("; points are not shifted" if points else ""),
        )
        require(not (points and self.horizontal_flip), "horizontal_flip", True, "points are not flipped")
        self.notes: list[str] = []
        self.class_names: list[str] | None = list(self.names_of_classes) or None
        self._splits: dict[str, Stored] | None = None
        self._guess: Modality | None = None
        self._to_model: Callable[[Tensor], Tensor] | None = None
        self._sha256_of: dict[tuple[str, int | None], str] = {}
        self._whole_sha256: str | None = None  # of all training samples, where a share of them is left
        self._loaders: WeakSet[TensorLoader] = WeakSet()  # weak: they hold this module (loader.Order)

    @abstractmethod
    def load(self) -> dict[str, Stored]:
        """Reads ``train``, ``val`` and ``test`` at native size; every bad input is an OptionError."""

    def count_classes(self, splits: dict[str, Stored]) -> int | None:
        """Number of classes that the data holds, None without labels."""
        labels = [stored.label for stored in splits.values() if stored.label is not None and len(stored)]
        return int(max(label.max() for label in labels)) + 1 if labels else None

    def note(self, text: str) -> None:
        """Says what was found and what was left out: at once to who listens, and for the log of a run."""
        text = one_line(text, len(text))  # names may be anything
        self.notes.append(text)
        log.info("%s", text)

    def prepare(self) -> None:
        """Reads, checks and fits the data; a second call does nothing. A command calls it before it writes.

        Raises:
            OptionError: data missing or damaged, or not as declared.
        """
        if self._splits is not None:
            return
        try:
            splits = self.load()
        except OSError as error:
            if self.root is None:
                raise
            reason = f"cannot be read ({error.strerror or error}); name a folder that can"
            raise OptionError("root", self.root, reason) from error
        kind = f"{type(self).__module__}.{type(self).__qualname__}"
        own = self.modality if type(self).modality is not TensorDataModule.modality else None
        self._guess = check_splits(splits, kind=kind, image_size=self.image_size, declared=own)
        self._check(splits)
        if self.image_size is not None:
            check_memory([part.x for part in splits.values()], self.image_size)
            splits = {
                name: Stored(
                    fit_images(part.x, image_size=self.image_size, mode=self.resize_mode), part.label
                )
                for name, part in splits.items()
            }
        self._splits = splits
        self._leave_fraction()

    def _leave_fraction(self) -> None:
        """Leaves ``train_fraction`` of the training samples, once, when all splits are there and checked."""
        if self.train_fraction == 1:
            return
        assert self._splits is not None
        train = self._splits["train"]
        self._whole_sha256 = self._sha256("train", None)
        self._sha256_of.clear()
        rows = kept_rows(len(train), train.label, self.train_fraction)
        self._splits["train"] = self._part_of_train(rows)
        self.note(describe_fraction(self.train_fraction, len(rows), len(train), train.label))

    def _part_of_train(self, rows: Tensor) -> Stored:
        """The training samples with these numbers, sorted int64 [M]."""
        return self.split("train").rows(rows)

    def _check(self, splits: dict[str, Stored]) -> None:
        check_channels(self.channels, splits["train"].x)
        classes = self.count_classes(splits)
        check_labels(splits, declared=self.num_classes, classes=classes)
        self.check_counts(classes, len(splits["train"]))
        self.num_classes = classes

    def check_counts(self, classes: int | None, train_count: int) -> None:
        """Raises OptionError where the number of classes or of training samples is not as declared."""
        check_num_classes(self.num_classes, classes)
        require(
            self.batch_size <= train_count,
            "batch_size",
            self.batch_size,
            f"is more than the {train_count} training samples; batch_size={train_count} at most",
        )
        check_fraction(self.train_fraction, train_count, self.batch_size)

    def setup(self, stage: str) -> None:
        self.prepare()

    def split(self, name: str) -> Stored:
        """The split ``train``, ``val`` or ``test``, as stored, at ``image_size``."""
        self.prepare()
        assert self._splits is not None
        require(name in self._splits, "split", name, f"must be one of {', '.join(self._splits)}")
        return self._splits[name]

    def loaded(self, name: str) -> Stored:  # what batches of training and validation are made of
        return self.split(name)

    def num_samples(self, name: str) -> int:
        return len(self.split(name))

    @property
    def modality(self) -> Modality:
        """What the samples are; declared by a subclass, or else guessed by how they are stored."""
        if self._guess is None:
            if self.image_size is not None:
                return Image()
            x = self.split("train").x  # which prepares
            self._guess = self._guess or modality_of_split(x)
        return self._guess

    @property
    def is_cut_up(self) -> bool:
        """Whether samples are parts of wholes of other sizes, which :meth:`wholes` hands out."""
        return False

    @property
    def declared_shape(self) -> tuple[int, ...] | None:
        """Shape of one sample by the options alone, where they say it: no data are read for it."""
        size = self.image_size
        return None if self.channels is None or size is None else (self.channels, size, size)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample, (C, H, W) or (2,)."""
        return tuple(self.split("train").x.shape[1:])

    def batches(self, name: str, batch_size: int, limit: int | None = None) -> Iterator[Batch]:
        """A split in its fixed order, as networks take it, on the CPU, never augmented; the last batch may be
        short. At most ``limit`` samples in all, None: the whole split."""
        for x, label in in_order(self.split(name), batch_size, limit):
            made = self.modality.to_model(x)
            yield Batch(x=made.clone() if made is x else made, label=label)

    def wholes(self, name: str, batch_size: int, limit: int | None = None) -> Iterator[Batch]:
        """What reconstructions are judged by: as :meth:`batches`; of data that are cut up, the wholes."""
        yield from self.batches(name, batch_size, limit)

    def fingerprint(self) -> dict[str, object]:
        """What the data is, as plain values: counts and shapes per split, sha256 of the training samples."""
        self.prepare()
        assert self._splits is not None
        train = self._splits["train"].x.contiguous().numpy()
        return {
            "splits": {
                name: {"count": len(part), "shape": list(part.x.shape[1:])}
                for name, part in self._splits.items()
            },
            "train_sha256": hashlib.sha256(train.data).hexdigest(),
        }

    def facts(self) -> DataFacts:
        """What metrics and their extractors may know of the data set: of all its training samples."""
        return DataFacts(
            sample_shape=list(self.sample_shape),
            num_classes=self.num_classes,
            train_sha256=self._whole_sha256 or self._sha256("train", None),
            name=type(self).__name__,
            overrides=overrides_of(self),
            train_fraction=self.train_fraction,
            modality=self.modality,
        )

    def describe_split(self, name: str, limit: int | None = None) -> dict[str, object]:
        """What :meth:`batches` hands out, as plain values for the protocol of a metric.

        Returns:
            ``name`` of the data set, ``split``, ``samples``, ``sample_shape``, and ``sha256`` of the samples
            and labels as stored.
        """
        stored = self.split(name)
        return {
            "name": type(self).__name__,
            "split": name,
            "samples": len(stored) if limit is None else min(limit, len(stored)),
            "sample_shape": list(self.sample_shape),
            "sha256": self._sha256(name, limit),
        }

    def _sha256(self, name: str, limit: int | None) -> str:
        """Of a split's first samples and their labels; every evaluation asks, and they do not change."""
        if (name, limit) not in self._sha256_of:
            stored = self.split(name)
            digest = hashlib.sha256(stored.x[:limit].contiguous().numpy().data)
            if stored.label is not None:
                digest.update(stored.label[:limit].contiguous().numpy().data)
            self._sha256_of[name, limit] = digest.hexdigest()
        return self._sha256_of[name, limit]

    def train_dataloader(self) -> TensorLoader:
        """Training batches from where the trainer stands; for anything else see :meth:`batches`."""
        return self._loader("train")

    def val_dataloader(self) -> TensorLoader | list[TensorLoader]:
        return self._loader("val") if self.num_samples("val") else []

    def test_dataloader(self) -> TensorLoader | list[TensorLoader]:
        return self._loader("test") if self.num_samples("test") else []

    def _loader(self, name: str) -> TensorLoader:
        stored, training = self.loaded(name), name == "train"
        loader = self._make_loader(name)(
            stored,
            batch_size=self.batch_size,
            seed=self.seed,
            training=training,
            num_workers=self.num_workers,
            position=partial(position_of, self) if training else from_the_start,
        )
        self._loaders.add(loader)
        return loader

    def _make_loader(self, name: str) -> Callable[..., TensorLoader]:
        """What loads a split that is prepared, short of the arguments that every loader takes."""
        return TensorLoader

    def teardown(self, stage: str) -> None:
        for loader in self._loaders:
            loader.close()

    def on_after_batch_transfer(self, batch: StoredBatch | Batch, dataloader_idx: int) -> Batch:
        """Stored rows to what a recipe gets, by the modality. A Batch is left alone."""
        x = batch.x
        if isinstance(batch, Batch):
            return batch
        if x.dtype == torch.uint8 and self.trainer is not None and self.trainer.training:
            epoch, _ = position_of(self)
            if self.horizontal_flip:
                x = flip(x, index=batch.row, seed=self.seed, epoch=epoch)
            if self.random_shift:
                x = shift(x, index=batch.row, seed=self.seed, epoch=epoch, pixels=self.random_shift)
        if self._to_model is None:
            self._to_model = self.modality.to_model  # looked up once, not for each batch
        return Batch(x=self._to_model(x), label=batch.label)
