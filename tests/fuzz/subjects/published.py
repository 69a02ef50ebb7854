"""Published data sets: MNIST's IDX files, CIFAR-10's archive of pickles."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import random
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from data_sets import content_of, expecting, reading
from mutate import plain, raw
from mutate.files import damage_bytes
from subject import Reader, Subject
from world import World

from ganvas.data.cifar10 import CIFAR10
from ganvas.data.mnist import MNIST


def _idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


_PIXELS, _LABELS = np.arange(30 * 784, dtype=np.uint32).reshape(30, 28, 28), np.arange(30) % 10
_CONTENT = dict(zip(MNIST.contents, (_idx(one.astype(np.uint8)) for one in (_PIXELS, _LABELS) * 2)))


class _SmallMNIST(MNIST):
    """Files of 30 images, and their hashes for those of MNIST."""

    contents = {name: hashlib.sha256(content).hexdigest() for name, content in _CONTENT.items()}


def _mnist() -> MNIST:
    return _SmallMNIST(root="mnist", num_val=5, batch_size=1, mirrors=[])


def _lay_idx(world: World, folder: Path, draws: random.Random) -> Reader:
    place = folder / "mnist"
    place.mkdir()
    packed = draws.random() < 0.5
    for name, content in _CONTENT.items():
        (place / (f"{name}.gz" if packed else name)).write_bytes(
            gzip.compress(content, mtime=0) if packed else content
        )
    sound = content_of(_mnist())
    damage_bytes(draws.choice(sorted(place.iterdir())), draws)
    return Reader(call=expecting(_mnist, sound))


def _lay_cifar(world: World, folder: Path, draws: random.Random) -> Reader:
    """An archive whose hash is taken for the pinned one: what is in it must not matter."""
    place = folder / "cifar"
    place.mkdir()
    draw = np.random.default_rng(0)
    batch: dict[Any, Any] = {
        b"data": draw.integers(0, 256, (2, 3072), dtype=np.uint8),
        b"labels": [1, 9],
        b"batch_label": b"x",
        b"filenames": [b"a.png", b"b.png"],
    }
    contents = {name: _pickled(batch) for name in CIFAR10.batch_md5}
    name = draws.choice(list(contents))
    contents[name] = (
        raw.damaged(contents[name], draws) if draws.random() < 0.5 else _pickled(_changed(batch, draws))
    )
    kept = io.BytesIO()
    with tarfile.open(fileobj=kept, mode="w:gz") as archive:
        for one, data in contents.items():
            member = tarfile.TarInfo(f"{CIFAR10.folder}/{one}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    content = kept.getvalue()
    if draws.random() < 0.3:
        content = raw.damaged(content, draws)
    (place / CIFAR10.archive).write_bytes(content)

    class Trusting(CIFAR10):
        archive_sha256 = hashlib.sha256(content).hexdigest()

    return Reader(call=reading(lambda: Trusting(root="cifar", num_val=2, batch_size=1, mirrors=[])))


def _pickled(value: Any) -> bytes:
    try:
        return pickle.dumps(value, protocol=2)
    except (ValueError, RecursionError, UnicodeEncodeError, AttributeError):
        return b""


def _changed(batch: dict[Any, Any], draws: random.Random) -> Any:
    changed: Any = dict(batch)
    key = draws.choice(list(batch)[:2])
    data = batch[b"data"]
    odd = (
        *(
            None,
            [],
            [300],
            [-1],
            [1.5, 2],
            ["a", "b"],
            [1],
            list(range(2)),
            {1: 2},
            data[:1],
            data.T,
            data.astype(float),
        ),
        *(
            data.astype(object),
            np.array(3),
            data[:, :5],
            data.astype("S3"),
            data.astype(np.int64) + 2**40,
            [True, [1]],
        ),
        *(Path("x"), random.Random, len, np.float64(3), np.dtype("O"), plain.odd_value(draws)),
    )
    changed[key] = draws.choice(odd)
    if draws.random() < 0.1:
        del changed[key]
    return changed


SUBJECTS = [
    Subject("idx", "MNIST's IDX files, plain and packed", _lay_idx),
    Subject("cifar", "CIFAR-10's archive and the pickles in it, with the right hash", _lay_cifar),
]
