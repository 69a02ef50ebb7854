"""The index of some shards, kept in a file: sealed, and held against the shards before it is used."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ganvas.data.files.cache_folder import Absent, absent_or, places, writable
from ganvas.data.files.damaged import Damage
from ganvas.data.shard.index import ShardIndex
from ganvas.errors import OptionError
from ganvas.files.read import read_bytes
from ganvas.files.sealed import seal, unseal
from ganvas.files.write import WholeFile, make_way

_VERSION = 3  # raised when the index changes
_HEADER = 512  # bytes of a tar's header; an image lies behind one
_MAX_CLASS = 2**31  # as a shard's own labels are read
_COLUMNS = ("shard", "offset", "length", "label")  # as they lie in the file, int64 of the little end


class IndexFile:
    """The place of an index: its name is a hash of the shards' names, sizes and times and of the options.

    Args:
        root: folder of the shards; names are kept relative to it.
        options: plain values that the index rests on.
        cache_dir: folder of the file; None takes ``.<root>.ganvas`` beside ``root``, or the user's cache.

    Attributes:
        folder: where it was read or written, or None.
        not_believed: files that were there under this name and are damaged, each with the reason.

    Raises:
        OptionError: ``shards`` where a shard is not there.
    """

    def __init__(
        self, paths: Sequence[Path], *, root: Path, cache_dir: str | None, options: Sequence[object]
    ) -> None:
        files, self._stamps = [], list[tuple[int, int]]()
        for path in paths:
            try:
                stat = path.stat()
            except OSError as error:
                reason = f"shard {path.name} cannot be read ({error.strerror}); fetch it, or leave it out"
                raise OptionError("shards", str(path), reason) from error
            files.append([os.path.relpath(path, root), stat.st_size, stat.st_mtime_ns])
            self._stamps.append((stat.st_size, stat.st_mtime_ns))
        key = json.dumps([_VERSION, list(options), files])
        self._digest = hashlib.sha256(key.encode()).hexdigest()
        self.paths, self.name = list(paths), f"shards-{self._digest[:32]}.index"
        self.folder: Path | None = None
        self.not_believed: list[str] = []
        self.folders, self.asked = places(root, cache_dir), cache_dir is not None

    def read(self) -> ShardIndex | None:
        """The index, or None where there is none that may be believed."""
        most = (1 << 20) + sum(size for size, _ in self._stamps)  # a sample takes less here than in its shard
        for folder in self.folders:
            path = folder / self.name
            try:
                with absent_or():
                    index = self._index(*unseal(read_bytes(path, most)))
            except Absent:
                continue
            except (OSError, ValueError) as error:
                self.not_believed.append(f"{path} {getattr(error, 'strerror', None) or error}")
                continue
            self.folder = folder
            return index
        return None

    def _index(self, about: dict[str, Any], body: bytes) -> ShardIndex:
        """What the file holds, each number where it may be.

        Raises:
            ValueError: it is no index of these shards.
        """
        if about.get("key_sha256") != self._digest:
            raise ValueError("is of other shards")
        labelled = about.get("labelled")
        names = _COLUMNS if labelled is True else _COLUMNS[:-1]
        count, rest = divmod(len(body), 8 * len(names))
        if rest or not count or type(labelled) is not bool:
            raise ValueError("has columns of no samples")
        table = np.frombuffer(body, "<i8").astype(np.int64).reshape(len(names), count)
        shard, offset, length, *label = table
        sizes = np.array([size for size, _ in self._stamps], np.int64)
        # In this order: a shard that is none has no size.
        ordered = shard.min() >= 0 and shard.max() < len(sizes) and (shard[1:] >= shard[:-1]).all()
        # Written so that no sum overflows.
        fits = ordered and (offset >= _HEADER).all() and (offset % _HEADER == 0).all() and (length >= 0).all()
        if not (fits and (offset <= sizes[shard]).all() and (length <= sizes[shard] - offset).all()):
            raise ValueError("names images that are not inside of their shards")
        if label and not ((label[0] >= 0).all() and (label[0] < _MAX_CLASS).all()):
            raise ValueError("has labels that are no classes")
        return ShardIndex(
            self.paths,
            np.array(self._stamps, np.int64).reshape(-1, 2),
            shard.astype(np.int32),
            offset,
            length,
            label[0] if label else None,
            _digests_of(about.get("digests"), len(sizes)),
            _damage_of(about.get("damage")),
        )

    def write(self, index: ShardIndex) -> None:
        """Keeps the index; where no folder can be written, only one that was asked for is missed.

        Raises:
            OptionError: ``cache_dir``.
        """
        named = [index.shard, index.offset, index.length, *([] if index.label is None else [index.label])]
        columns = [np.asarray(column, "<i8").tobytes() for column in named]
        about = {
            "key_sha256": self._digest,
            "labelled": index.label is not None,
            "digests": index.digests,
            "damage": [[one.row, _text(one.name), _text(one.reason)] for one in index.damage],
        }
        if list(map(tuple, index.stamps.tolist())) != self._stamps:
            return  # a shard was changed while it was read: the name is of what it was before
        try:
            folder, _ = writable(self.folders)
            make_way(folder / self.name)
            with WholeFile(folder / self.name) as file:
                file.write(seal(about, b"".join(columns)))
            self.folder = folder
        except (OptionError, OSError) as error:
            if self.asked:
                reason = f"cannot be written ({error}); name another folder"
                raise OptionError("cache_dir", str(self.folders[0]), reason) from error


def _digests_of(stored: object, count: int) -> list[str]:
    """Raises ValueError unless these are ``count`` sha256 in hexadecimal digits."""
    digests = [str(one) for one in stored] if isinstance(stored, list) else []
    if len(digests) != count or not all(re.fullmatch("[0-9a-f]{64}", one) for one in digests):
        raise ValueError("has no sha256 of each shard")
    return digests


def _damage_of(stored: object) -> tuple[Damage, ...]:
    """Raises ValueError unless these are numbers and texts."""
    damage = []
    for one in stored if isinstance(stored, list) else [None]:
        match one:
            case [int(row), str(name), str(reason)]:
                damage.append(Damage(row, name, reason))
            case _:
                raise ValueError("names damaged images that cannot be")
    return tuple(damage)


def _text(said: str) -> str:
    """Bytes of a name that are no UTF-8 become ``?``: they could be printed nowhere."""
    return said.encode("utf-8", "replace").decode()[:1000]
