"""Codes of another run's data set, for a prior: what its tokenizer makes of each sample, once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from ganvas.data.datamodule import SPLITS, TensorDataModule
from ganvas.data.files.code_cache import read_codes, write_codes
from ganvas.data.loading.check import require_positive
from ganvas.data.loading.stored import Stored, in_order
from ganvas.errors import OptionError, require
from ganvas.functional.batch import Batch, DataFacts, StoredBatch
from ganvas.functional.code_layout import CodeLayout
from ganvas.modality.interface import Modality


@runtime_checkable
class Encodes(Protocol):
    """What is asked of a tokenizer (``ganvas.model.tokenizer.Tokenizer`` in full)."""

    data: Any
    layout: CodeLayout
    sha256: str
    place: str
    sample_shape: tuple[int, ...]
    notes: list[str]

    def encode(self, x: Tensor) -> Tensor: ...


@dataclass(kw_only=True, eq=False, repr=False)
class Codes(TensorDataModule):
    """Training and validation batches hold codes int64 [B, N], with the labels of the samples they are of.

    All else that looks at the data (metrics, previews) finds the samples themselves, so that figures of a
    prior rest on the same real ones as those of any other model.

    Args:
        tokenizer: the autoencoder, and with it the data set that it was trained on, as it was trained on.
        root: folder of that data set's files, where it lies elsewhere by now; None: where it lay.
        encode_batch_size: samples that are encoded at a time.

    The others: see :class:`ganvas.data.datamodule.TensorDataModule`.

    Raises:
        OptionError: no tokenizer; data in ``root`` of another shape than those it was trained on.
    """

    tokenizer: Encodes | None = None
    encode_batch_size: int = 256
    channels: int | None = field(default=None, init=False)
    image_size: int | None = field(default=None, init=False)
    num_classes: int | None = field(default=None, init=False)
    resize_mode: str = field(default="auto", init=False)
    train_fraction: float = field(default=1.0, init=False)
    horizontal_flip: bool = field(default=False, init=False)
    random_shift: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        rule = "names no run of a VQ-VAE; data.tokenizer=RUN (latest:vqvae is the newest)"
        if self.tokenizer is None:
            raise OptionError("tokenizer", "null", rule)
        require_positive("encode_batch_size", self.encode_batch_size, "256 is usual")
        self.encodes = self.tokenizer
        self.source: TensorDataModule = self.encodes.data
        self.class_names = self.source.class_names
        self._codes: dict[str, Tensor] = {}

    def load(self) -> dict[str, Stored]:
        """The samples; their codes are made, or read from where they are kept, on the way."""
        for note in self.encodes.notes:
            self.note(note)
        self.source.prepare()
        shape, takes = self.source.sample_shape, self.encodes.sample_shape
        rule = f"holds samples of {list(shape)}; the tokenizer takes {list(takes)}"
        require(shape == takes, "root", self.root, rule)
        self._codes = self._read_or_made()
        return {name: self.source.split(name) for name in SPLITS}

    def _read_or_made(self) -> dict[str, Tensor]:
        """Codes int32 [count, N] of each split."""
        counts = {name: self.source.num_samples(name) for name in SPLITS}
        key = {
            "tokenizer": self.encodes.sha256,
            "splits": {name: self.source.describe_split(name)["sha256"] for name in SPLITS},
            "layout": self.encodes.layout.to_plain(),
        }
        sizes = self.encodes.layout.element_sizes()
        kept = read_codes(key, counts, sizes)
        if kept is None:
            self.note(f"encodes {sum(counts.values()):,} samples by {os.path.basename(self.encodes.place)}")
            kept = {name: self._encoded(name, count) for name, count in counts.items()}
            write_codes(key, kept, sizes)
        return kept

    def _encoded(self, name: str, count: int) -> Tensor:
        """int32 [count, N]; in memory are all codes and a batch of samples."""
        codes = torch.empty(count, self.encodes.layout.length, dtype=torch.int32)
        start = 0
        for batch in self.source.batches(name, self.encode_batch_size):
            codes[start : start + len(batch.x)] = self.encodes.encode(batch.x).cpu()
            start += len(batch.x)
        return codes

    def prepare(self) -> None:
        if self._splits is not None:
            return
        self._splits = self.load()
        self.notes += [note for note in self.source.notes if note not in self.notes]
        self.class_names = self.source.class_names
        self.check_counts(self.source.num_classes, self.num_samples("train"))
        self.num_classes = self.source.num_classes

    @property
    def modality(self) -> Modality:
        """Of the samples that the codes are of."""
        return self.source.modality

    @property
    def is_cut_up(self) -> bool:
        """Whether the samples are parts of wholes."""
        return self.source.is_cut_up

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Of a sample that the codes are of."""
        return self.source.sample_shape

    def batches(self, name: str, batch_size: int, limit: int | None = None) -> Iterator[Batch]:
        yield from self.source.batches(name, batch_size, limit)

    def wholes(self, name: str, batch_size: int, limit: int | None = None) -> Iterator[Batch]:
        yield from self.source.wholes(name, batch_size, limit)

    def codes(self, name: str, batch_size: int, limit: int | None = None) -> Iterator[Batch]:
        """Codes int64 [B, N] of a split in its fixed order, and their labels; the last batch may be short."""
        for x, label in in_order(self.loaded(name), batch_size, limit):
            yield Batch(x=x.long(), label=label)

    def loaded(self, name: str) -> Stored:
        """Codes and labels of a split; its samples are ``split(name)``."""
        label = self.split(name).label
        return Stored(self._codes[name], label)

    def fingerprint(self) -> dict[str, object]:
        self.prepare()
        digest = hashlib.sha256(self._codes["train"].numpy().data).hexdigest()
        return self.source.fingerprint() | {"codes_sha256": digest}

    def facts(self) -> DataFacts:
        return self.source.facts()

    def describe_split(self, name: str, limit: int | None = None) -> dict[str, object]:
        return self.source.describe_split(name, limit)

    def on_after_batch_transfer(self, batch: StoredBatch | Batch, dataloader_idx: int) -> Batch:
        """Codes as int64."""
        if isinstance(batch, Batch):
            return batch
        return Batch(x=batch.x.long(), label=batch.label)
