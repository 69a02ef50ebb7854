"""Files decoded once: an .npy file that is mapped into memory, beside a .json that says what it holds.

A cache is believed where the .json is sealed and of these files, the .npy's header is the one that is
written for them, and its bytes have the checksums that the .json holds. All are read for that, once when a
data set is opened: some 4 GB/s from memory and else what the disk gives, a fraction of the sha256 of the
training samples that a run takes next. Anything else is made anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import os
import shutil
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ganvas.data.files.cache_folder import Absent, absent_or, places, writable
from ganvas.data.files.damaged import Damage, refuse
from ganvas.data.files.tree import FileKind
from ganvas.errors import OptionError, require
from ganvas.files.read import open_regular, read_bytes
from ganvas.files.sealed import checksums_of, seal, unseal
from ganvas.files.write import WholeFile, make_way
from ganvas.functional.memory import in_words

Array = np.ndarray[Any, np.dtype[Any]]
_MAX_SIDECAR = 1 << 12, 1 << 12  # bytes of a .json, and more for each file: its name and why it is damaged


class Decoded(NamedTuple):
    """A file as the cache holds it: rows [n, *row_shape], and what is remarkable in it, in a few words."""

    rows: Array
    remarks: tuple[str, ...] = ()


class Size(NamedTuple):
    """Bytes that are needed on a disk, and the option that makes them more or fewer."""

    bytes: int
    option: str
    value: object
    remedy: str


class Content(ABC):
    """What a cache holds of files, and how it is made.

    Attributes:
        kind: of the files.
        dtype: of the array.
        ahead: files that are held decoded before they are written.
    """

    kind: FileKind
    dtype: np.dtype[Any]
    ahead: int

    @abstractmethod
    def key(self, *, skip: bool) -> Mapping[str, object]:
        """What the array rests on beside the files, plain values; more where damaged ones are left out."""

    @abstractmethod
    def facts(self, paths: Sequence[Path], root: Path) -> dict[str, object]:
        """What has to be known of all files before one is decoded, plain values; OptionError refuses them."""

    @abstractmethod
    def row_shape(self, facts: Mapping[str, object]) -> tuple[int, ...]:
        """Shape of a row; raises ValueError where these can be no facts."""

    @abstractmethod
    def size(self, paths: Sequence[Path], facts: Mapping[str, object]) -> Size:
        """What the array takes at most, or about."""

    @abstractmethod
    def read(self, path: Path, facts: Mapping[str, object]) -> Decoded:
        """Decodes a file. Raises almost anything; :meth:`why` puts it into words."""

    @abstractmethod
    def why(self, error: Exception) -> str:
        """What is wrong with a file that cannot be read."""


class CachedArray(NamedTuple):
    """What of some files could be read.

    Attributes:
        x: [M, *row_shape], mapped from the cache; writes stay in memory.
        files: which of the N files are in it, sorted int64 [F].
        lengths: rows of each of these, int64 [F].
        facts: see :meth:`Content.facts`.
        remarks: how many files each was made of.
        damage: the other files.
        folder: of the cache.
        is_new: whether they were decoded now.
        not_believed: caches of these files that were there and are damaged, each with the reason.
    """

    x: Tensor
    files: Tensor
    lengths: Tensor
    facts: Mapping[str, object]
    remarks: Mapping[str, int]
    damage: list[Damage]
    folder: Path
    is_new: bool
    not_believed: tuple[str, ...] = ()


class _About(NamedTuple):
    """What the .json says."""

    facts: dict[str, object]
    lengths: list[int]
    remarks: dict[str, int]
    damage: list[Damage]


def cached_array(
    paths: Sequence[Path], content: Content, *, root: Path, on_damaged: str, cache_dir: str | None
) -> CachedArray:
    """An array mapped from a cache, made if need be.

    The cache's name is a hash of the paths' names, sizes and times of change and of the options, so that
    another set of files is another cache.

    Args:
        root: folder of the files; names are kept relative to it.
        on_damaged: ``stop``, or ``skip`` the files that cannot be read.
        cache_dir: folder of caches; None takes ``.<root>.ganvas`` beside ``root``, or the user's cache folder
            where that cannot be written.

    Raises:
        OptionError: ``root`` where files cannot be read, ``cache_dir`` where it cannot be written.
    """
    key = _key(paths, content, root=root, on_damaged=on_damaged)
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()
    name, folders, not_believed = digest[:32], places(root, cache_dir), list[str]()
    for place in folders:
        try:
            array = _read(place / name, digest, len(paths), content)
        except Absent:
            continue
        except (OSError, ValueError) as error:
            not_believed.append(f"{place / name}.npy {getattr(error, 'strerror', None) or error}")
            continue
        return array._replace(not_believed=tuple(not_believed))
    facts = content.facts(paths, root)
    place, made = writable(folders)
    try:
        _require_room(place, content.size(paths, facts), len(paths), content.kind)
        for suffix in (".npy", ".json"):
            make_way(place / f"{name}{suffix}")
        with WholeFile(place / f"{name}.npy") as file:
            about = _write(file, paths, content, facts, root)
            if about.damage and (on_damaged == "stop" or len(about.damage) == len(paths)):
                refuse(about.damage, "root", root, count=len(paths), kind=content.kind)
            file.flush()
            checksums = checksums_of(file.fileno(), file.seek(0, os.SEEK_END))
        with WholeFile(place / f"{name}.json") as file:
            file.write(seal({"key_sha256": digest, **about._asdict(), "crc32": checksums}))
    except (OSError, OptionError) as error:
        for folder in made:  # for nothing; one that holds a cache of another process by now stays
            with contextlib.suppress(OSError):
                folder.rmdir()
        if isinstance(error, OptionError):
            raise
        reason = f"cannot be written ({error}); name another folder"
        raise OptionError("cache_dir", str(place), reason) from error
    array = _map(place / name, len(paths), content, about)
    return array._replace(is_new=True, not_believed=tuple(not_believed))


def _require_room(place: Path, needed: Size, count: int, kind: FileKind) -> None:
    free = shutil.disk_usage(place).free
    reason = (
        f"{count} {kind.plural} need {in_words(needed.bytes)} in {place}, which has "
        f"{in_words(free)} free; {needed.remedy}, or another cache_dir"
    )
    require(needed.bytes <= free, needed.option, needed.value, reason)


def _key(paths: Sequence[Path], content: Content, *, root: Path, on_damaged: str) -> dict[str, object]:
    files = []
    for path in paths:
        stat = path.stat()
        files.append([path.relative_to(root).as_posix(), stat.st_size, stat.st_mtime_ns])
    return {**content.key(skip=on_damaged == "skip"), "on_damaged": on_damaged, "files": files}


def _read(base: Path, digest: str, count: int, content: Content) -> CachedArray:
    """The cache of so many files.

    Args:
        digest: sha256 of what it must be a cache of.

    Raises:
        Absent: there is none.
        OSError, ValueError: there is one, and it is not what was written.
    """
    with absent_or():
        size = os.stat(base.with_suffix(".npy")).st_size
        most = _MAX_SIDECAR[0] + _MAX_SIDECAR[1] * count + 12 * size // 2**22
        about, _ = unseal(read_bytes(base.with_suffix(".json"), most))
        if about.get("key_sha256") != digest:
            raise ValueError(f"is of other {content.kind.plural}")
        checksums = about.get("crc32")
        if not isinstance(checksums, list):
            raise ValueError("has no checksums")
        return _map(base, count, content, _about(about, count, content.kind), checksums)


def _map(
    base: Path, count: int, content: Content, about: _About, checksums: list[Any] | None = None
) -> CachedArray:
    """The .npy mapped into memory, its bytes held against their checksums where these are given.

    Raises: see :func:`_read`.
    """
    whole = np.ones(count, dtype=bool)
    whole[[one.row for one in about.damage]] = False
    files = torch.from_numpy(whole.nonzero()[0])
    shape = (sum(about.lengths), *content.row_shape(about.facts))
    header = io.BytesIO()
    _write_header(header, shape, content)
    size = header.tell() + math.prod(shape) * content.dtype.itemsize
    with open_regular(base.with_suffix(".npy")) as file:
        if os.fstat(file.fileno()).st_size != size:
            raise ValueError(f"has {os.fstat(file.fileno()).st_size:,} bytes and not {size:,}")
        if file.read(header.tell()) != header.getvalue():
            raise ValueError(f"has the header of other {content.kind.plural}")
        if checksums is not None and checksums != checksums_of(file.fileno(), size):
            raise ValueError("has a wrong checksum")
        rows = np.memmap(file, content.dtype, "c", header.tell(), shape)
    lengths = torch.tensor(about.lengths, dtype=torch.int64)
    found = torch.from_numpy(rows), files, lengths, about.facts, about.remarks, about.damage
    return CachedArray(*found, folder=base.parent, is_new=False)


def _about(stored: Mapping[str, Any], count: int, kind: FileKind) -> _About:
    """Raises ValueError unless these can be of ``count`` files."""
    damage = _damage_of(stored.get("damage"), count, kind)
    facts, lengths, remarks = (stored.get(name) for name in ("facts", "lengths", "remarks"))
    numbers = isinstance(lengths, list) and all(type(one) is int and one > 0 for one in lengths)
    told = isinstance(remarks, dict) and all(type(one) is int for one in remarks.values())
    if not (numbers and told and isinstance(facts, dict)):
        raise ValueError(f"does not say what {kind.plural} it holds")
    assert isinstance(lengths, list)
    assert isinstance(remarks, dict)
    if len(lengths) != count - len(damage):
        raise ValueError(f"holds another number of {kind.plural}")
    return _About(facts, lengths, remarks, damage)


def _damage_of(stored: Any, count: int, kind: FileKind) -> list[Damage]:
    """Raises ValueError unless these are rows of ``count`` files, in order, with texts."""
    damage, least = [], 0
    for one in stored if isinstance(stored, list) else [None]:
        match one:
            case [int(row), str(name), str(reason)] if type(row) is int and least <= row < count:
                damage.append(Damage(row, name, reason))
                least = row + 1
            case _:
                raise ValueError(f"names damaged {kind.plural} that cannot be")
    if len(damage) == count:
        raise ValueError(f"holds no {kind.plural}")
    return damage


def _write(
    file: IO[bytes], paths: Sequence[Path], content: Content, facts: dict[str, object], root: Path
) -> _About:
    """An .npy file, written in order rather than mapped: a full disk is then an error and not a crash."""

    def read(path: Path) -> Decoded | str:
        try:
            return content.read(path, facts)
        except Exception as error:  # decoders raise almost anything on a damaged file
            return content.why(error)

    row_shape = content.row_shape(facts)
    _write_header(file, (0, *row_shape), content)
    remarks: Counter[str] = Counter()
    about = _About(facts, [], remarks, [])
    for row, found in enumerate(_in_threads(read, paths, content.ahead)):
        if isinstance(found, str):
            about.damage.append(Damage(row, _text(str(paths[row].relative_to(root))), _text(found)))
        else:
            file.write(np.ascontiguousarray(found.rows, content.dtype).data)
            about.lengths.append(len(found.rows))
            remarks.update(found.remarks)
    file.seek(0)
    _write_header(file, (sum(about.lengths), *row_shape), content)
    return about


def _in_threads(
    do: Callable[[Path], Decoded | str], paths: Sequence[Path], ahead: int
) -> Iterator[Decoded | str]:
    """In the order of the paths; at most ``ahead`` are held that nobody has taken. Decoders run without the
    interpreter's lock."""
    waiting: deque[Future[Decoded | str]] = deque()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for path in paths:
            if len(waiting) == ahead:
                yield waiting.popleft().result()
            waiting.append(pool.submit(do, path))
        while waiting:
            yield waiting.popleft().result()


def _text(said: str) -> str:
    """Bytes of a file's name that are no UTF-8 become ``?``: they could be printed nowhere."""
    return said.encode("utf-8", "replace").decode()[:1000]


def _write_header(file: IO[bytes], shape: tuple[int, ...], content: Content) -> None:
    """numpy leaves room in it for any number of rows, so that another one takes no other length."""
    header = {"descr": content.dtype.str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
