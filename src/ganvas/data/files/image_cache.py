"""Images decoded once: an .npy file that is mapped into memory, beside a .json that says what it holds.

A cache is believed where the .json is sealed and of these images, the .npy's header is the one that is
written for them, and its bytes have the checksums that the .json holds. All are read for that, once when a
data set is opened: some 4 GB/s from memory and else what the disk gives, a fraction of the sha256 of the
training images that a run takes next. Anything else is made anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import os
import shutil
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ganvas.data.files.cache_folder import Absent, absent_or, places, writable
from ganvas.data.files.damaged import Damage, refuse
from ganvas.data.files.decode import Decoding, ImageArray, decode, why
from ganvas.data.files.formats import formats
from ganvas.errors import OptionError, require
from ganvas.files.read import open_regular, read_bytes
from ganvas.files.sealed import checksums_of, seal, unseal
from ganvas.files.write import WholeFile, make_way

_CHUNK = 1024  # images decoded before they are written
_VERSION = 2  # raised when decoding changes
_MAX_SIDECAR = 1 << 10, 1 << 12  # bytes of a .json, and more for each image: its name and why it is damaged


class CachedImages(NamedTuple):
    """What of some files could be read.

    Attributes:
        x: uint8 [M, channels, image_size, image_size], mapped from the cache; writes stay in memory.
        rows: which of the N files these are, sorted int64 [M].
        damage: the others.
        folder: of the cache.
        is_new: whether they were decoded now.
        not_believed: caches of these images that were there and are damaged, each with the reason.
    """

    x: Tensor
    rows: Tensor
    damage: list[Damage]
    folder: Path
    is_new: bool
    not_believed: tuple[str, ...] = ()


def cached_images(
    paths: Sequence[Path], *, root: Path, how: Decoding, on_damaged: str, cache_dir: str | None
) -> CachedImages:
    """Images mapped from a cache, made if need be.

    The cache's name is a hash of the paths' names, sizes and times of change and of the options, so that
    another set of images is another file.

    Args:
        root: folder of the images; names are kept relative to it.
        how: what the images become.
        on_damaged: ``stop``, or ``skip`` the files that cannot be read.
        cache_dir: folder of caches; None takes ``.<root>.ganvas`` beside ``root``, or the user's cache folder
            where that cannot be written.

    Raises:
        OptionError: ``root`` where images cannot be read, ``cache_dir`` where it cannot be written.
    """
    key = _key(paths, root=root, how=how, on_damaged=on_damaged)
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()
    name, folders, not_believed = digest[:32], places(root, cache_dir), list[str]()
    for place in folders:
        try:
            images = _read(place / name, digest, len(paths), how)
        except Absent:
            continue
        except (OSError, ValueError) as error:
            not_believed.append(f"{place / name}.npy {getattr(error, 'strerror', None) or error}")
            continue
        return images._replace(not_believed=tuple(not_believed))
    place, made = writable(folders)
    needed, free = math.prod(_shape(len(paths), how)), shutil.disk_usage(place).free
    try:
        reason = (
            f"{len(paths)} images need {needed / 1e9:.1f} GB in {place}, which has "
            f"{free / 1e9:.1f} free; choose a smaller size, or another cache_dir"
        )
        require(needed <= free, "image_size", how.image_size, reason)
        for suffix in (".npy", ".json"):
            make_way(place / f"{name}{suffix}")
        with WholeFile(place / f"{name}.npy") as file:
            damage = _write(file, paths, how, root)
            if damage and (on_damaged == "stop" or len(damage) == len(paths)):
                refuse(damage, "root", root, count=len(paths))
            file.flush()
            checksums = checksums_of(file.fileno(), file.seek(0, os.SEEK_END))
        with WholeFile(place / f"{name}.json") as file:
            file.write(seal({"key_sha256": digest, "damage": damage, "crc32": checksums}))
    except OSError as error:
        reason = f"cannot be written ({error}); name another folder"
        raise OptionError("cache_dir", str(place), reason) from error
    except OptionError:
        for folder in made:  # for nothing; one that holds a cache of another process by now stays
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise
    images = _map(place / name, len(paths), how, damage)
    return images._replace(is_new=True, not_believed=tuple(not_believed))


def _key(paths: Sequence[Path], *, root: Path, how: Decoding, on_damaged: str) -> dict[str, object]:
    files = []
    for path in paths:
        stat = path.stat()
        files.append([path.relative_to(root).as_posix(), stat.st_size, stat.st_mtime_ns])
    key = {"version": _VERSION, **how.key(), "on_damaged": on_damaged, "files": files}
    # What is left out may be readable by another Pillow, or with a plugin.
    return key | ({"formats": formats()} if on_damaged == "skip" else {})


def _shape(count: int, how: Decoding) -> tuple[int, int, int, int]:
    return count, *how.shape


def _read(base: Path, digest: str, count: int, how: Decoding) -> CachedImages:
    """The cache of so many files.

    Args:
        digest: sha256 of what it must be a cache of.

    Raises:
        Absent: there is none.
        OSError, ValueError: there is one, and it is not what was written.
    """
    with absent_or():
        most = _MAX_SIDECAR[0] + _MAX_SIDECAR[1] * count + 12 * math.prod(_shape(count, how)) // 2**22
        about, _ = unseal(read_bytes(base.with_suffix(".json"), most))
        if about.get("key_sha256") != digest:
            raise ValueError("is of other images")
        checksums = about.get("crc32")
        if not isinstance(checksums, list):
            raise ValueError("has no checksums")
        return _map(base, count, how, _damage_of(about.get("damage"), count), checksums)


def _map(
    base: Path, count: int, how: Decoding, damage: list[Damage], checksums: list[Any] | None = None
) -> CachedImages:
    """The .npy mapped into memory, its bytes held against their checksums where these are given.

    Raises: see :func:`_read`.
    """
    whole = np.ones(count, dtype=bool)
    whole[[one.row for one in damage]] = False
    rows = torch.from_numpy(whole.nonzero()[0])
    shape = _shape(len(rows), how)
    header = io.BytesIO()
    _write_header(header, shape)
    size = header.tell() + math.prod(shape)
    with open_regular(base.with_suffix(".npy")) as file:
        if os.fstat(file.fileno()).st_size != size:
            raise ValueError(f"has {os.fstat(file.fileno()).st_size:,} bytes and not {size:,}")
        if file.read(header.tell()) != header.getvalue():
            raise ValueError("has the header of other images")
        if checksums is not None and checksums != checksums_of(file.fileno(), size):
            raise ValueError("has a wrong checksum")
        images = np.memmap(file, np.uint8, "c", header.tell(), shape)
    return CachedImages(torch.from_numpy(images), rows, damage, base.parent, is_new=False)


def _damage_of(stored: Any, count: int) -> list[Damage]:
    """Raises ValueError unless these are rows of ``count`` files, in order, with texts."""
    damage, least = [], 0
    for one in stored if isinstance(stored, list) else [None]:
        match one:
            case [int(row), str(name), str(reason)] if type(row) is int and least <= row < count:
                damage.append(Damage(row, name, reason))
                least = row + 1
            case _:
                raise ValueError("names damaged images that cannot be")
    if len(damage) == count:
        raise ValueError("holds no images")
    return damage


def _write(file: IO[bytes], paths: Sequence[Path], how: Decoding, root: Path) -> list[Damage]:
    """An .npy file, written in order rather than mapped: a full disk is then an error and not a crash.

    Returns what cannot be read, and is not in it.
    """

    def read(path: Path) -> ImageArray | str:
        try:
            return decode(path, how)
        except Exception as error:  # decoders raise almost anything on a damaged file
            return why(error)

    _write_header(file, _shape(len(paths), how))
    damage = []
    # Pillow decodes and resizes without the interpreter's lock.
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("ignore")  # Pillow's remarks on a file; what it cannot read, decode refuses
        for start in range(0, len(paths), _CHUNK):
            for row, image in enumerate(pool.map(read, paths[start : start + _CHUNK]), start):
                if isinstance(image, str):
                    damage.append(Damage(row, _text(str(paths[row].relative_to(root))), _text(image)))
                else:
                    file.write(image.tobytes())
    if damage:
        file.seek(0)
        _write_header(file, _shape(len(paths) - len(damage), how))
    return damage


def _text(said: str) -> str:
    """Bytes of a file's name that are no UTF-8 become ``?``: they could be printed nowhere."""
    return said.encode("utf-8", "replace").decode()[:1000]


def _write_header(file: IO[bytes], shape: tuple[int, ...]) -> None:
    """numpy leaves room in it for any number of rows, so that a smaller one takes no other length."""
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
