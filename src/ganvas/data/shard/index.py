"""Where each sample of sharded tar files lies: read from the headers once, kept in a file beside them
(:mod:`ganvas.data.shard.index_file`).

The convention is WebDataset's: members of one name up to the first dot of the file name are one sample, e.g.
``cats/0017.png`` and ``cats/0017.cls``. An index makes samples reachable by number, so that the order of
training needs no state and a resumed run seeks to its place.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ganvas.data.files.damaged import Damage
from ganvas.data.files.formats import KNOWN
from ganvas.data.shard.tar_members import Damaged, Member, members, whole_number
from ganvas.errors import OptionError, require
from ganvas.files.plain import parse_json
from ganvas.files.read import open_regular

_MAX_LABEL = 1 << 20  # bytes of a .cls or .json
_IMAGES = {suffix[1:] for suffix in KNOWN} | {"npy"}
Integers = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class ShardIndex:
    """Samples of some shards, in the order of the shards and, inside one, of the archive.

    Attributes:
        paths: the shards.
        stamps: bytes and time of change (ns) of each shard, int64 [S, 2]; one with another stamp was changed.
        shard: number of each sample's shard, int32 [N].
        offset: where its image begins in the shard, int64 [N], bytes.
        length: of its image, int64 [N], bytes.
        label: int64 [N], or None where no sample has one.
        digests: for each shard, sha256 of its samples' keys, lengths, times and labels and of the first
            image.
        damage: samples that cannot be read and were left out, by shard and key.
    """

    paths: list[Path]
    stamps: Integers
    shard: np.ndarray[Any, np.dtype[np.int32]]
    offset: Integers
    length: Integers
    label: Integers | None
    digests: list[str]
    damage: tuple[Damage, ...] = ()

    def __len__(self) -> int:
        return len(self.shard)

    def rows(self, rows: Integers) -> ShardIndex:
        """The samples with these numbers, sorted int64 [M]."""
        return dataclasses.replace(
            self,
            shard=self.shard[rows],
            offset=self.offset[rows],
            length=self.length[rows],
            label=None if self.label is None else self.label[rows],
        )

    def counts(self) -> Integers:
        """Samples in each shard, int64 [S]."""
        return np.bincount(self.shard, minlength=len(self.paths))

    def sha256(self, limit: int | None = None) -> str:
        """Of what the first samples are, not of where the shards lie.

        Images are known by key, length and time of change; the content is hashed of one in each shard.
        """
        digest = hashlib.sha256("\n".join(self.digests).encode())
        for column in (self.shard, self.offset, self.length, self.label):
            digest.update(b"" if column is None else np.ascontiguousarray(column[:limit]).data)
        return digest.hexdigest()


def index_shards(paths: Sequence[Path], *, image_extension: str | None, label_field: str) -> ShardIndex:
    """Reads every header, and every label.

    Args:
        image_extension: the image's, e.g. ``png`` or ``input.jpg``; None takes the one that is an image's.
        label_field: of the label in a ``.json``.

    Raises:
        OptionError: ``shards``, with the shard (and the key) in the reason: missing, damaged, no images,
            a key twice, two images or none, a label that is none, or only some samples with labels.
    """
    parts, unlabelled, labelled = [], "", ""
    for path in paths:
        try:
            one = _Reader(path, image_extension, label_field).read()
        except Damaged as error:
            raise OptionError("shards", str(path), f"shard {path.name} {error}") from error
        except OSError as error:
            reason = f"shard {path.name} cannot be read ({error.strerror or error}); fetch it again"
            raise OptionError("shards", str(path), reason) from error
        parts.append(one)
        if one.keys_without_label:
            unlabelled = unlabelled or f"{path.name}, key {one.keys_without_label[0]}"
        if len(one.keys_without_label) < len(one.offset):
            labelled = path.name
        reason = (
            f"shard {unlabelled}: has no label (.cls, or {label_field} in a .json), and shard {labelled} has"
        )
        require(not (unlabelled and labelled), "shards", str(path), f"{reason} some; give all of them one")
    return ShardIndex(
        list(paths),
        np.array([one.stamp for one in parts], np.int64),
        np.repeat(np.arange(len(parts), dtype=np.int32), [len(one.offset) for one in parts]),
        np.concatenate([np.array(one.offset, np.int64) for one in parts]),
        np.concatenate([np.array(one.length, np.int64) for one in parts]),
        np.concatenate([np.array(one.label, np.int64) for one in parts]) if labelled else None,
        [one.digest for one in parts],
    )


def stamp(file: int) -> tuple[int, int]:
    """Bytes and time of change (ns) of an open file."""
    stat = os.fstat(file)
    return stat.st_size, stat.st_mtime_ns


class _Reader:
    """One shard."""

    def __init__(self, path: Path, image_extension: str | None, label_field: str) -> None:
        self.path, self.image_extension, self.label_field = path, image_extension, label_field
        self.offset: list[int] = []
        self.length: list[int] = []
        self.label: list[int] = []
        self.keys_without_label: list[str] = []

    def read(self) -> _Reader:
        with open_regular(self.path) as opened:
            file = opened.fileno()
            self.stamp = stamp(file)
            samples = self._group(file)
            sha256 = hashlib.sha256()
            for key, sample in samples.items():
                image = sample[self._image(key, sample)]
                label = self._label(file, key, sample)
                if label is None:
                    self.keys_without_label.append(key)
                if not self.offset:
                    sha256.update(os.pread(file, image.size, image.offset))
                self.offset.append(image.offset)
                self.length.append(image.size)
                self.label.append(-1 if label is None else label)
                told = f"{key}\0{image.size}\0{image.mtime}\0{label}\n"
                sha256.update(told.encode("utf-8", "surrogateescape"))
        if not self.offset:
            raise Damaged("holds no samples; a sample is e.g. 0017.png with 0017.cls")
        self.digest = sha256.hexdigest()
        return self

    def _group(self, file: int) -> dict[str, dict[str, Member]]:
        samples: dict[str, dict[str, Member]] = {}
        for member in members(file, self.stamp[0]):
            folder, slash, name = member.name.rpartition("/")
            stem, dot, extension = name.partition(".")
            if not stem or not dot or stem.startswith("__"):  # hidden, no sample's, or WebDataset's own notes
                continue
            key, extension = folder + slash + stem, extension.lower()
            parts = samples.setdefault(key, {})
            if extension in parts:
                raise Damaged(f"has key {key} twice (.{extension}); give every sample a key of its own")
            parts[extension] = member
        return samples

    def _image(self, key: str, sample: dict[str, Member]) -> str:
        there = ", ".join(f".{extension}" for extension in sample)
        wanted = self.image_extension
        if wanted is not None:
            if wanted not in sample:
                raise Damaged(f"has no .{wanted} of key {key} (there are: {there}); see image_extension")
            return wanted
        found = [extension for extension in sample if extension in _IMAGES]
        if len(found) != 1:
            many = "more than one image" if found else "no image"
            raise Damaged(f"has {many} of key {key} (there are: {there}); choose by image_extension=png")
        return found[0]

    def _label(self, file: int, key: str, sample: dict[str, Member]) -> int | None:
        member = sample.get("cls") or sample.get("json")
        if member is None:
            return None
        if member.size > _MAX_LABEL:
            raise Damaged(f"has a label of {member.size} bytes of key {key}; it is no class")
        text = os.pread(file, member.size, member.offset)
        try:
            value = whole_number(text.strip()) if "cls" in sample else parse_json(text)
        except ValueError:
            value = text[:20].decode("utf-8", "replace")
        if "cls" not in sample and isinstance(value, dict):
            value = value.get(self.label_field)
            if value is None:
                return None
        if type(value) is not int or not 0 <= value < 2**31:
            reason = "a class is a whole number from 0, in a .cls or in a .json by label_field"
            raise Damaged(f"has the label {str(value)[:20]!r} of key {key}; {reason}")
        return value
