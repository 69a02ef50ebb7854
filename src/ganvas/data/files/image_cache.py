"""Images decoded once: an .npy file that is mapped into memory, beside a .json that says what it holds."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import shutil
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ganvas.data.files.cache_folder import places, writable
from ganvas.data.files.damaged import Damage, refuse
from ganvas.data.files.decode import Decoding, ImageArray, decode, why
from ganvas.data.files.formats import formats
from ganvas.errors import OptionError, require
from ganvas.files.write import WholeFile

_CHUNK = 1024  # images decoded before they are written
_VERSION = 2  # raised when decoding changes


class CachedImages(NamedTuple):
    """What of some files could be read.

    Attributes:
        x: uint8 [M, channels, image_size, image_size], mapped from the cache; writes stay in memory.
        rows: which of the N files these are, sorted int64 [M].
        damage: the others.
        folder: of the cache.
        is_new: whether they were decoded now.
    """

    x: Tensor
    rows: Tensor
    damage: list[Damage]
    folder: Path
    is_new: bool


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
    name = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]
    folders = places(root, cache_dir)
    for place in folders:
        images = _read(place / name, len(paths), how)
        if images is not None:
            return images
    place, made = writable(folders)
    needed, free = math.prod(_shape(len(paths), how)), shutil.disk_usage(place).free
    try:
        reason = (
            f"{len(paths)} images need {needed / 1e9:.1f} GB in {place}, which has "
            f"{free / 1e9:.1f} free; choose a smaller size, or another cache_dir"
        )
        require(needed <= free, "image_size", how.image_size, reason)
        with WholeFile(place / f"{name}.npy") as file:
            damage = _write(file, paths, how, root)
            if damage and (on_damaged == "stop" or len(damage) == len(paths)):
                refuse(damage, "root", root, count=len(paths))
        with WholeFile(place / f"{name}.json") as file:
            file.write(json.dumps(key | {"damage": damage}, indent=0).encode())
    except OSError as error:
        reason = f"cannot be written ({error}); name another folder"
        raise OptionError("cache_dir", str(place), reason) from error
    except OptionError:
        for folder in made:  # for nothing; one that holds a cache of another process by now stays
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise
    images = _read(place / name, len(paths), how)
    assert images is not None, place / name
    return images._replace(is_new=True)


def _key(paths: Sequence[Path], *, root: Path, how: Decoding, on_damaged: str) -> dict[str, object]:
    files = []
    for path in paths:
        stat = path.stat()
        files.append([path.relative_to(root).as_posix(), stat.st_size, stat.st_mtime_ns])
    key = {"version": _VERSION, **how.key(), "on_damaged": on_damaged, "files": files}
    # What is left out may be readable by another Pillow, or with a plugin.
    return key | ({"formats": formats()} if on_damaged == "skip" else {})


def _shape(count: int, how: Decoding) -> tuple[int, int, int, int]:
    return count, how.channels, how.image_size, how.image_size


def _read(base: Path, count: int, how: Decoding) -> CachedImages | None:
    """The cache of so many files, or None where there is none that is whole."""
    try:
        damage = [Damage(*one) for one in json.loads(base.with_suffix(".json").read_bytes())["damage"]]
        images = np.load(base.with_suffix(".npy"), mmap_mode="c")
        whole = np.ones(count, dtype=bool)
        whole[[one.row for one in damage]] = False
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None
    rows = torch.from_numpy(whole.nonzero()[0])
    if images.shape != _shape(len(rows), how) or images.dtype != np.uint8:
        return None
    return CachedImages(torch.from_numpy(images), rows, damage, base.parent, is_new=False)


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
                    damage.append(Damage(row, str(paths[row].relative_to(root)), image))
                else:
                    file.write(image.tobytes())
    if damage:
        file.seek(0)
        _write_header(file, _shape(len(paths) - len(damage), how))
    return damage


def _write_header(file: IO[bytes], shape: tuple[int, ...]) -> None:
    """numpy leaves room in it for any number of rows, so that a smaller one takes no other length."""
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
