"""A kept index is what was read from the shards, or it is made anew."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganvas.data.webdataset import WebDataset
from ganvas.files.sealed import seal, unseal

Columns = dict[str, Any]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "shards"
    folder.mkdir()
    for shard in range(2):
        with tarfile.open(folder / f"train-{shard:03}.tar", "w") as archive:
            for row in range(3 * shard, 3 * shard + 3):
                image = io.BytesIO()
                Image.new("L", (8, 8), row).save(image, "png")
                for name, content in (
                    (f"{row}.png", image.getvalue()),
                    (f"{row}.cls", str(row % 2).encode()),
                ):
                    member = tarfile.TarInfo(name)
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
    return folder


def make(root: Path) -> WebDataset:
    options = {"batch_size": 2, "image_size": 8, "channels": 1, "val_fraction": 0.0, "test_fraction": 0.0}
    return WebDataset(root=str(root), num_workers=0, **options)


def columns(change: Callable[[Columns], object]) -> Callable[[Path], None]:
    """Changes columns and seals them again: as a faulty program would write them."""

    def write(path: Path) -> None:
        about, body = unseal(path.read_bytes())
        names = ["shard", "offset", "length", "label"]
        held: Columns = dict(zip(names, np.frombuffer(body, "<i8").reshape(4, -1).copy(), strict=True))
        change(held)
        path.write_bytes(seal(about, b"".join(held[name].tobytes() for name in held)))

    return write


def about(**values: object) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        held, body = unseal(path.read_bytes())
        path.write_bytes(seal(held | values, body))

    return write


def turn(place: int) -> Callable[[Path], None]:
    def turn_bit(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[place] ^= 1
        path.write_bytes(content)

    return turn_bit


def replaced_by(make_it: Callable[[Path], object]) -> Callable[[Path], None]:
    def replace(path: Path) -> None:
        path.unlink()
        make_it(path)

    return replace


BAD = {
    "empty": lambda path: path.write_bytes(b""),
    "nonsense": lambda path: path.write_bytes(b"PK\3\4 nonsense"),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-8]),
    "turned bit in the columns": turn(-100),
    "turned bit in the line": turn(90),
    "pipe": replaced_by(os.mkfifo),
    "device": replaced_by(lambda path: path.symlink_to("/dev/zero")),
    "folder": replaced_by(os.mkdir),
    "swapped": columns(lambda held: held.update(offset=held["length"], length=held["offset"])),
    "shifted": columns(lambda held: held.update(offset=held["offset"] + 1)),
    "before the file": columns(lambda held: held["offset"].__setitem__(0, -512)),
    "behind the file": columns(lambda held: held["offset"].__setitem__(5, 512 * 10**6)),
    "overflowing": columns(lambda held: held["length"].__setitem__(5, 2**63 - 1)),
    "negative length": columns(lambda held: held["length"].__setitem__(5, -1)),
    "floats": columns(lambda held: held.update(offset=held["offset"].astype(float))),
    "other order": columns(lambda held: held.update(shard=held["shard"][::-1])),
    "shard that is none": columns(lambda held: held["shard"].__setitem__(5, 2)),
    "negative shard": columns(lambda held: held["shard"].__setitem__(0, -1)),
    "negative label": columns(lambda held: held["label"].__setitem__(0, -1)),
    "huge label": columns(lambda held: held["label"].__setitem__(0, 2**40)),
    "a column short": columns(lambda held: held.pop("label")),
    "no rows": columns(lambda held: held.update({name: held[name][:0] for name in held})),
    "other shards": about(key_sha256="0" * 64),
    "digests": about(digests=["0" * 64]),
    "digests that are none": about(digests=["x", "y"]),
    "labelled": about(labelled=1),
    "damage": about(damage=[["row"]]),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_index_is_made_anew_and_said(root: Path, case: str) -> None:
    first = make(root)
    first.prepare()
    (kept,) = (root.parent / ".shards.ganvas").iterdir()
    content = kept.read_bytes()
    BAD[case](kept)
    module = make(root)
    assert module.split("train").x[:][:, 0, 0, 0].tolist() == list(range(6))
    assert module.split("train").label.tolist() == [0, 1, 0, 1, 0, 1]
    assert module.fingerprint() == first.fingerprint()
    assert kept.read_bytes() == content
    assert len([note for note in module.notes if str(kept) in note and note.endswith("it is not used")]) == 1
    again = make(root)
    again.prepare()
    assert not any("not used" in note for note in again.notes)


def test_labels_are_missed_where_there_are_none(root: Path) -> None:
    for path in root.iterdir():
        with tarfile.open(path) as archive:
            kept = [
                (member, archive.extractfile(member).read())
                for member in archive
                if member.name.endswith("png")
            ]
        with tarfile.open(path, "w") as archive:
            for member, content in kept:
                archive.addfile(member, io.BytesIO(content))
    for _ in range(2):  # read, and from the index
        module = make(root)
        assert module.split("train").label is None
        assert len(module.split("train")) == 6
