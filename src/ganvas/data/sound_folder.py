"""A folder of sounds of the user's own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from ganvas.data.files.array_cache import CachedArray, cached_array
from ganvas.data.kinds.own_folder import OwnFolder, inside
from ganvas.data.loading.check import check_labels, require_positive
from ganvas.data.loading.crops import CropLoader
from ganvas.data.loading.fraction import describe_fraction, kept_rows
from ganvas.data.loading.loader import TensorLoader
from ganvas.data.loading.stored import Stored, in_order
from ganvas.data.sound.cache import SOUNDS, Sounds, format_of
from ganvas.data.sound.clips import Clips
from ganvas.errors import require
from ganvas.functional.batch import Batch
from ganvas.modality.sound import MAX_SECONDS, Sound
from ganvas.modality.sound_file import RATES, require_sound

_MOST_CHANNELS = 8  # as many as a .flac takes
_HASHED = 256  # clips at a time


@dataclass(kw_only=True, eq=False, repr=False)
class SoundFolder(OwnFolder):
    """Sounds (wav, flac, ogg, opus, mp3), decoded once into a cache of 16-bit samples.

    Samples are clips of ``crop_length``, float32 [B, C, crop_length] in [-1, 1]. A file of L samples counts
    as max(1, ceil(L / crop_length)) of them. In training each begins at a place of its file that is drawn
    anew each epoch, from the seed, the epoch and the clip's number alone. Elsewhere they lie side by side,
    so that all of a file is seen; the last one, and a file that is shorter, is filled up by zeros.
    How the folder is read is said in :class:`ganvas.data.kinds.own_folder.OwnFolder`, how a file is decoded
    in :func:`ganvas.modality.sound_file.read_sound`.

    Args:
        rate: samples a second; files of another rate are resampled. None takes that of the files, which must
            then have one.
        channels: 1 mono, 2 stereo; files of others are refused. None takes those of the files, likewise.
        mix_channels: takes such files too: as the mean of their channels, for each of ``channels``.
        crop_length: samples of a clip.
        max_seconds: a longer file counts as damaged: it may be a decompression bomb.
        on_damaged: ``stop`` names the files that cannot be read; ``skip`` leaves them out.
        train_fraction: share of the training files that is trained on.
        num_classes: None takes the class folders that are there.

    The others: see :class:`ganvas.data.kinds.own_folder.OwnFolder`.

    Raises:
        OptionError: an argument out of its range; with :meth:`prepare` files that cannot be read or do not
            fit each other.
    """

    file_kind = SOUNDS
    modality_kind = Sound
    rate: int | None = None
    channels: int | None = 1
    mix_channels: bool = False
    crop_length: int = 8192
    max_seconds: float = MAX_SECONDS
    image_size: None = field(default=None, init=False)
    resize_mode: str = field(default="auto", init=False)
    horizontal_flip: bool = field(default=False, init=False)
    random_shift: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = RATES
        reason = f"must be from {low} to {high} samples a second; null takes that of the files"
        require(self.rate is None or low <= self.rate <= high, "rate", self.rate, reason)
        reason = f"must be from 1 to {_MOST_CHANNELS}; 1 mono, 2 stereo"
        require(self.channels is None or self.channels <= _MOST_CHANNELS, "channels", self.channels, reason)
        require_positive("crop_length", self.crop_length, "8192 samples are usual")
        reason = f"must be positive; {MAX_SECONDS:g} is usual"
        require(0 < self.max_seconds < float("inf"), "max_seconds", self.max_seconds, reason)

    @property
    def modality(self) -> Sound:
        """Sounds of the rate and the channels, which the files say where the options do not."""
        if self.rate is None or self.channels is None:
            self.prepare()
        assert self.rate is not None
        assert self.channels is not None
        return Sound(self.rate, self.channels)

    @property
    def is_cut_up(self) -> bool:
        """The wholes are files."""
        return True

    @property
    def declared_shape(self) -> tuple[int, ...] | None:
        return None if self.channels is None else (self.channels, self.crop_length)

    def prepare(self) -> None:
        if self._splits is not None:
            return
        require_sound(("root", str(self.root)))
        splits = self.load()
        classes = self.count_classes(splits)
        check_labels(splits, declared=self.num_classes, classes=classes)
        self.check_counts(classes, len(splits["train"]))
        self.num_classes, self._splits = classes, splits
        self._leave_fraction()

    def _decoded(self, paths: Sequence[Path], root: Path) -> CachedArray:
        how = Sounds(
            rate=self.rate,
            channels=self.channels,
            mix_channels=self.mix_channels,
            max_seconds=self.max_seconds,
        )
        return cached_array(paths, how, root=root, on_damaged=self.on_damaged, cache_dir=self.cache_dir)

    def _stored(
        self, cached: CachedArray, labels: Tensor | None, places: dict[str, range]
    ) -> dict[str, Stored]:
        self.rate, self.channels = format_of(cached.facts)
        ends = cached.lengths.cumsum(0)
        splits = {}
        for name, place in places.items():
            there = inside(cached.files, place)
            lengths = cached.lengths[there]
            clips = Clips(cached.x, ends[there] - lengths, lengths, self.crop_length)
            label = None if labels is None else labels[cached.files[there]]
            splits[name] = _stored(clips, label)
        self._check_lengths(_clips(splits["train"]).lengths)
        return splits

    def _check_lengths(self, lengths: Tensor) -> None:
        """Of the training files, samples: one at least fills a clip."""
        longest = int(lengths.max()) if len(lengths) else 0
        reason = f"is longer than every training file; the longest has {longest} samples"
        reason += f"; data.crop_length={longest}"
        require(not len(lengths) or self.crop_length <= longest, "crop_length", self.crop_length, reason)
        short = int((lengths < self.crop_length).sum())
        if short:
            told = f"{short:,} of {len(lengths):,} training files are shorter than data.crop_length="
            self.note(f"{told}{self.crop_length}, and are filled up by zeros")

    def _say_what_was_read(self, cached: CachedArray, count: int) -> None:
        super()._say_what_was_read(cached, count)
        rate, channels = format_of(cached.facts)
        seconds = int(cached.lengths.sum()) / rate
        text = f"{seconds:,.1f} seconds at {rate:,} Hz, {channels} channel{'s' * (channels > 1)}"
        told = [
            f"{number:,} of {count:,} {words}"
            for number, words in (
                (cached.facts.get("resampled"), "resampled"),
                (cached.facts.get("mixed"), "of other channels, mixed"),
                *((number, words) for words, number in sorted(cached.remarks.items())),
            )
            if isinstance(number, int) and number
        ]
        self.note("; ".join((f"{self.root}: {text}", *told)))

    def _leave_fraction(self) -> None:
        """By file: clips of one file are much alike."""
        if self.train_fraction == 1:
            return
        assert self._splits is not None
        train = self._splits["train"]
        self._whole_sha256 = self._sha256("train", None)
        self._sha256_of.clear()
        clips = _clips(train)
        label = None if train.label is None else _of_sounds(clips, train.label)
        files = kept_rows(len(clips.lengths), label, self.train_fraction)
        kept = _stored(clips.sounds(files), None if label is None else label[files])
        reason = f"leaves {len(files)} files of {len(kept)} clips, fewer than batch_size={self.batch_size}"
        fits = self.batch_size <= len(kept)
        require(fits, "train_fraction", self.train_fraction, f"{reason}; take more, or smaller batches")
        self._splits["train"] = kept
        told = describe_fraction(self.train_fraction, len(files), len(clips.lengths), train.label)
        self.note(told.replace("training samples", "training files"))

    def wholes(self, name: str, batch_size: int, limit: int | None = None) -> Iterator[Batch]:
        """The files of a split one by one, float32 [1, C, L], each of its own length L.

        Args:
            batch_size: not used: lengths differ.
            limit: files in all, None for the whole split.
        """
        split = self.split(name)
        clips = _clips(split)
        label = None if split.label is None else _of_sounds(clips, split.label)
        for number in range(len(clips.lengths))[:limit]:
            x = self.modality.to_model(clips.whole(number)[None])
            yield Batch(x=x, label=None if label is None else label[number : number + 1])

    def fingerprint(self) -> dict[str, object]:
        """Rate, and counts of files and clips per split; ``train_sha256`` is of clips and labels."""
        self.prepare()
        shape = list(self.sample_shape)
        assert self._splits is not None
        splits = {
            name: {"count": len(part), "shape": shape, "files": len(_clips(part).lengths)}
            for name, part in self._splits.items()
        }
        return {"rate": self.rate, "splits": splits, "train_sha256": self._sha256("train", None)}

    def describe_split(self, name: str, limit: int | None = None) -> dict[str, object]:
        """As of every data set, and the ``rate``."""
        return super().describe_split(name, limit) | {"rate": self.rate}

    def _sha256(self, name: str, limit: int | None) -> str:
        """Of the rate, the first clips as :meth:`batches` has them, and their labels."""
        if (name, limit) not in self._sha256_of:
            stored = self.split(name)
            digest = hashlib.sha256(f"{self.rate}\n".encode())
            for x, _ in in_order(stored, _HASHED, limit):
                digest.update(x.numpy().data)
            if stored.label is not None:
                digest.update(stored.label[:limit].contiguous().numpy().data)
            self._sha256_of[name, limit] = digest.hexdigest()
        return self._sha256_of[name, limit]

    def _make_loader(self, name: str) -> Callable[..., TensorLoader]:
        if name != "train":
            return TensorLoader
        return partial(CropLoader, source=_clips(self.split(name)))


def _stored(clips: Clips, label: Tensor | None) -> Stored:
    """A split; ``label`` of its sounds, int64 [F] or None."""
    return Stored(cast("Tensor", clips), None if label is None else label[clips.sound])


def _clips(stored: Stored) -> Clips:
    return cast("Clips", stored.x)


def _of_sounds(clips: Clips, label: Tensor) -> Tensor:
    """Labels of the sounds, int64 [F], from those of their clips."""
    return label[torch.nonzero(clips.offsets == 0).flatten()]
