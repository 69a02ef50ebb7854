"""Shards (tar) of a user's own, the labels in them, and their index (.npz)."""

from __future__ import annotations

import io
import json
import random
import tarfile
from pathlib import Path

import numpy as np
from data_sets import expecting, reading, web_dataset
from mutate import plain, raw
from mutate.arrays import other_array
from mutate.files import damage_bytes, dumps
from mutate.sealed import is_sealed, resealed
from subject import Reader, Subject
from world import World

_INDEX = ("shard_index/*", "shard_index")
_KINDS = (
    *(tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE),
    b"S",
    b"V",
    b"x",
    b"L",
)
_NAMES = (
    "../x.png",
    "/etc/x.png",
    "x",
    ".png",
    "a/b/c.png",
    "x" * 300 + ".png",
    "a\nb.png",
    "0.png",
    "0.npy",
    "é.cls",
)
_PAX: tuple[dict[str, str], ...] = (
    *(
        {"size": "9" * 5000},
        {"size": "-5"},
        {"size": "x"},
        {"path": "../y.png"},
        {"path": "\0"},
        {"mtime": "nan"},
    ),
    *({"GNU.sparse.size": "9"}, {"GNU.sparse.map": "0,1,99999999999,5"}, {"hdrcharset": "BINARY"}),
)
Member = tuple[tarfile.TarInfo, bytes]


def _reader(draws: random.Random) -> Reader:
    options = {"on_damaged": draws.choice(("stop", "skip"))}
    if draws.random() < 0.2:
        options["label_field"] = draws.choice(("label", "x"))
    return Reader(writes=_INDEX, call=reading(lambda: web_dataset("shards", **options)))


def _a_shard(folder: Path, draws: random.Random) -> Path:
    return draws.choice(sorted((folder / "shards").rglob("*.tar")))


def _lay_shard(world: World, folder: Path, draws: random.Random) -> Reader:
    world.copy("shards", folder / "shards")
    path = _a_shard(folder, draws)
    if draws.random() < 0.4:
        damage_bytes(path, draws)
    else:
        _rewrite(path, draws, _change_member)
    return _reader(draws)


def _lay_label(world: World, folder: Path, draws: random.Random) -> Reader:
    world.copy("shards", folder / "shards")
    _rewrite(_a_shard(folder, draws), draws, _change_label)
    return _reader(draws)


def _rewrite(path: Path, draws: random.Random, change) -> None:  # type: ignore[no-untyped-def]
    """The shard again, with some members changed."""
    with tarfile.open(path) as archive:
        members: list[Member] = []
        for one in archive:
            file = archive.extractfile(one)
            members.append((one, file.read() if file is not None else b""))
    for _ in range(draws.choice((1, 1, 2))):
        change(members, draws)
    kept = io.BytesIO()
    form = draws.choice((tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))
    with tarfile.open(fileobj=kept, mode="w", format=form) as archive:
        for one, data in members:
            try:
                archive.addfile(one, io.BytesIO(data.ljust(min(one.size, 1 << 20), b"\0")))
            except (OSError, ValueError, OverflowError, UnicodeEncodeError):  # it fits no header
                continue
    path.write_bytes(kept.getvalue())


def _change_member(members: list[Member], draws: random.Random) -> None:
    if not members:
        return
    at = draws.randrange(len(members))
    one, data = members[at]
    kind = draws.randrange(9)
    if kind == 0:
        del members[at]
    elif kind == 1:
        members.append(members[at])
    elif kind == 2:
        one.name = draws.choice((*_NAMES, f"{one.name}.png", one.name.upper()))
    elif kind == 3:
        one.type = draws.choice(_KINDS)
        one.linkname = draws.choice(("x", "../../x", one.name))
    elif kind == 4:
        data = raw.damaged(data, draws)
        one.size = len(data)
        members[at] = (one, data)
    elif kind == 5:
        one.pax_headers = draws.choice(_PAX)
    elif kind == 6:
        draws.shuffle(members)
    elif kind == 7:
        one.mtime = draws.choice((0, 8**11 - 1))
        one.size = draws.choice((0, 1, len(data) + 1, 1 << 19))
    else:
        members.insert(at, (tarfile.TarInfo("x.json"), b""))


def _change_label(members: list[Member], draws: random.Random) -> None:
    """One label becomes another text, or a .json."""
    labels = [index for index, (one, _) in enumerate(members) if one.name.endswith((".cls", ".json"))]
    if not labels:
        return
    at = draws.choice(labels)
    one, data = members[at]
    if draws.random() < 0.5:
        data = draws.choice((raw.damaged(data, draws), *_LABELS))
    else:
        one.name = one.name.replace(".cls", ".json")
        data = dumps(plain.damaged({"label": 1, "other": [1, "x"]}, draws), draws).encode()
    one.size = len(data)
    members[at] = (one, data)


_LABELS = (
    *(
        b"",
        b"-1",
        b"1e3",
        b"1.0",
        b" 1 ",
        b"0x1",
        b"NaN",
        b"9" * 5000,
        b"[" * 5000,
        b"2147483647",
        b"2147483648",
    ),
    *(b"true", b"null", b'"1"', "١".encode(), b"1_0", b"\xff", b"1\x00", b"\xef\xbb\xbf1", b"1" * (1 << 21)),
)


def _lay_array(world: World, folder: Path, draws: random.Random) -> Reader:
    """Images that are .npy, one of them damaged."""
    world.copy("shards", folder / "shards")
    for path in sorted((folder / "shards").rglob("*.tar")):
        _rewrite(path, draws, _to_arrays)
    return _reader(draws)


def _to_arrays(members: list[Member], draws: random.Random) -> None:
    sound = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    odd = draws.randrange(len(members))
    for at, (one, _) in enumerate(members):
        if not one.name.endswith(".png"):
            continue
        one.name = one.name.replace(".png", ".npy")
        file = io.BytesIO()
        np.save(file, other_array(sound, draws) if at == odd and draws.random() < 0.5 else sound)
        data = raw.damaged(file.getvalue(), draws) if at == odd and draws.random() < 0.5 else file.getvalue()
        one.size = len(data)
        members[at] = (one, data)


def _lay_index(world: World, folder: Path, draws: random.Random) -> Reader:
    """Sound shards beside a damaged index of them."""
    world.copy("shards", folder / "shards")
    world.copy("shard_index", folder / "shard_index")
    path = draws.choice(sorted(one for one in (folder / "shard_index").iterdir() if one.is_file()))
    if is_sealed(path) and draws.random() < 0.4:
        resealed(path, draws)  # who writes a right hash may name other samples, and breaks nothing
        return Reader(writes=_INDEX, call=reading(lambda: web_dataset("shards")))
    if draws.random() < 0.4 or path.suffix != ".npz":
        damage_bytes(path, draws)
    else:
        with np.load(path) as stored:
            columns = dict(stored)
        for _ in range(draws.choice((1, 1, 2))):
            _change_column(columns, draws)
        with path.open("wb") as file:
            np.savez(file, **columns)
    return Reader(writes=_INDEX, call=expecting(lambda: web_dataset("shards"), world.sound["shards"]))


def _change_column(columns: dict[str, np.ndarray], draws: random.Random) -> None:
    name, other = draws.choice(list(columns)), draws.choice(list(columns))
    value = columns[name]
    numbers = value.dtype.kind in "iuf"
    kind = draws.randrange(9)
    if kind == 0:
        del columns[name]
    elif kind == 1:
        columns[name], columns[other] = columns[other], value
    elif kind == 2 and numbers:
        columns[name] = value.astype(draws.choice((np.float64, np.int8, np.bool_, np.complex64, "S4", ">i8")))
    elif kind == 3 and numbers:
        columns[name] = value + draws.choice((1, -1, 512, 2**40)).__int__()
    elif kind == 4 and value.ndim:
        columns[name] = draws.choice(
            (value[::-1], value[:-1], value[:0], np.concatenate([value, value]), value[None])
        )
    elif kind == 5 and numbers and value.size:
        changed = value.copy()
        changed.flat[draws.randrange(value.size)] = draws.choice((-1, 0, 2**31 - 1, 99))
        columns[name] = changed
    elif kind == 6:
        columns[name] = np.array(draws.choice((json.dumps([[0, "x", "y"]]), "[]", "x", "[[1]]", "[" * 2000)))
    elif kind == 7:
        columns[name] = np.array(draws.choice((3, 2.5, True)))
    else:
        columns["more"] = value


SUBJECTS = [
    Subject("shard", "shards (tar): members, headers, bytes", _lay_shard),
    Subject("shard_label", "labels in shards (.cls and .json)", _lay_label),
    Subject("shard_array", "images in shards that are .npy", _lay_array),
    Subject("shard_index", "the index of shards (.npz)", _lay_index),
]
