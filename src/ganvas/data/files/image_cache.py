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
from typing import IO

import numpy as np
import torch
from torch import Tensor

from ganvas.data.files.cache_folder import places, replacing, writable
from ganvas.data.files.decode import decode
from ganvas.errors import OptionError, require

_CHUNK = 1024  # images decoded before they are written
_VERSION = 1  # raised when decoding changes


def cached_images(
    paths: Sequence[Path], *, root: Path, channels: int, image_size: int, cache_dir: str | None
) -> Tensor:
    """Images as uint8 [N, channels, image_size, image_size], mapped from a cache, made if need be.

    The cache's name is a hash of the paths' names, sizes and times of change and of the options, so that
    another set of images is another file. Writes to the tensor stay in memory.

    Args:
        root: folder of the images; names are kept relative to it.
        cache_dir: folder of caches; None takes ``.<root>.ganvas`` beside ``root``, or the user's cache folder
            where that cannot be written.

    Raises:
        OptionError: ``root`` where an image cannot be read, ``cache_dir`` where it cannot be written.
    """
    key = _key(paths, root=root, channels=channels, image_size=image_size)
    name = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]
    shape = (len(paths), channels, image_size, image_size)
    folders = places(root, cache_dir)
    for place in folders:
        images = _read(place / name, shape)
        if images is not None:
            return images
    place, made = writable(folders)
    needed, free = math.prod(shape), shutil.disk_usage(place).free
    try:
        reason = (
            f"{len(paths)} images need {needed / 1e9:.1f} GB in {place}, which has "
            f"{free / 1e9:.1f} free; choose a smaller size, or another cache_dir"
        )
        require(needed <= free, "image_size", image_size, reason)
        with replacing(place / f"{name}.npy") as file:
            _write(file, paths, shape)
        with replacing(place / f"{name}.json") as file:
            file.write(json.dumps(key, indent=0).encode())
    except OSError as error:
        reason = f"cannot be written ({error}); name another folder"
        raise OptionError("cache_dir", str(place), reason) from error
    except OptionError:
        for folder in made:  # for nothing; one that holds a cache of another process by now stays
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise
    images = _read(place / name, shape)
    assert images is not None, place / name
    return images


def _key(paths: Sequence[Path], *, root: Path, channels: int, image_size: int) -> dict[str, object]:
    files = []
    for path in paths:
        stat = path.stat()
        files.append([path.relative_to(root).as_posix(), stat.st_size, stat.st_mtime_ns])
    return {"version": _VERSION, "channels": channels, "image_size": image_size, "files": files}


def _read(base: Path, shape: tuple[int, ...]) -> Tensor | None:
    """The cache, or None where there is none that is whole."""
    if not base.with_suffix(".json").is_file():
        return None
    try:
        images = np.load(base.with_suffix(".npy"), mmap_mode="c")
    except (OSError, ValueError):
        return None
    return torch.from_numpy(images) if images.shape == shape and images.dtype == np.uint8 else None


def _write(file: IO[bytes], paths: Sequence[Path], shape: tuple[int, ...]) -> None:
    """An .npy file, written in order rather than mapped: a full disk is then an error and not a crash."""
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    _, channels, image_size, _ = shape
    # Pillow decodes and resizes without the interpreter's lock.
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("ignore")  # Pillow's remarks on a file; what it cannot read, decode refuses
        for start in range(0, len(paths), _CHUNK):
            chunk = paths[start : start + _CHUNK]
            for image in pool.map(lambda path: decode(path, channels=channels, image_size=image_size), chunk):
                file.write(image.tobytes())
