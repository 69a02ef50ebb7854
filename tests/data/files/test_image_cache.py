"""A cache of decoded images is what was written, or it is made anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganvas.data.files import array_cache
from ganvas.data.image_folder import ImageFolder
from ganvas.errors import OptionError
from ganvas.files.sealed import seal, unseal


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for level in (10, 20, 30):
        Image.new("L", (8, 8), level).save(folder / f"{level}.png")
    return folder


def make(root: Path, **options) -> ImageFolder:
    defaults = {"batch_size": 1, "image_size": 8, "val_fraction": 0.0, "test_fraction": 0.0, "channels": 1}
    return ImageFolder(root=str(root), **(defaults | options))


def levels(module: ImageFolder) -> list[int]:
    return module.split("train").x[:, 0, 3, 3].tolist()


def turn(place: int) -> Callable[[Path], None]:
    def turn_bit(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[place] ^= 4
        path.write_bytes(content)

    return turn_bit


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def link_to(target: str) -> Callable[[Path], None]:
    def link(path: Path) -> None:
        path.unlink()
        path.symlink_to(target)

    return link


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def array(shape: tuple[int, ...], kind: str = "|u1") -> Callable[[Path], None]:
    """Puts another header before the same bytes."""

    def write(path: Path) -> None:
        content = path.read_bytes()
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(
                file, {"descr": kind, "fortran_order": False, "shape": shape}
            )
            file.write(content[128:])

    return write


def change(**values: object) -> Callable[[Path], None]:
    """A .json that is sealed, and of something else."""

    def write(path: Path) -> None:
        about, _ = unseal(path.read_bytes())
        path.write_bytes(seal(about | values))

    return write


BAD = {
    "a turned bit in the last image": (".npy", turn(-1)),
    "a turned bit in the first image": (".npy", turn(130)),
    "a turned bit in the header": (".npy", turn(70)),
    "empty": (".npy", lambda path: path.write_bytes(b"")),
    "cut off": (".npy", lambda path: path.write_bytes(path.read_bytes()[:-8])),
    "longer": (".npy", lambda path: path.write_bytes(path.read_bytes() + b"\0")),
    "negative": (".npy", array((-3, 1, 8, 8))),
    "other type": (".npy", array((3, 1, 8, 8), "|i1")),
    "huge": (".npy", array((2**62, 1, 8, 8))),
    "a pipe": (".npy", pipe),
    "a device": (".npy", link_to("/dev/zero")),
    "a folder": (".npy", folder),
    "json: a turned bit": (".json", turn(100)),
    "json: empty": (".json", lambda path: path.write_bytes(b"")),
    "json: a pipe": (".json", pipe),
    "json: a device": (".json", link_to("/dev/zero")),
    "json: deep": (".json", lambda path: path.write_bytes(b"[" * 4000 + b"\n")),
    "json: of older versions": (".json", lambda path: path.write_text('{"version": 2, "damage": []}')),
    "json: of other images": (".json", change(key_sha256="0" * 64)),
    "json: a row that is none": (".json", change(damage=[[3, "30.png", "why"]])),
    "json: a negative row": (".json", change(damage=[[-1, "30.png", "why"]])),
    "json: all damaged": (".json", change(damage=[[row, "x.png", "why"] for row in range(3)])),
    "json: no rows": (".json", change(damage={"a": 1})),
    "json: other checksums": (".json", change(crc32=[1])),
    "json: no checksums": (".json", change(crc32=None)),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_cache_is_made_anew_and_said(root: Path, case: str) -> None:
    make(root).prepare()
    suffix, break_it = BAD[case]
    (path,) = (root.parent / ".images.ganvas").glob(f"*{suffix}")
    content = path.read_bytes()
    break_it(path)
    module = make(root)
    assert levels(module) == [10, 20, 30]
    assert path.read_bytes() == content
    assert [note for note in module.notes if f"{path.stem}.npy" in note and note.endswith("it is not used")]
    again = make(root)
    assert levels(again) == [10, 20, 30]
    assert len(again.notes) == 2
    assert "read decoded from" in again.notes[-1]


def test_one_that_cannot_be_replaced_is_decoded_elsewhere(root: Path, monkeypatch) -> None:
    make(root).prepare()
    (path,) = (root.parent / ".images.ganvas").glob("*.npy")
    turn(-1)(path)
    content = path.read_bytes()
    monkeypatch.setenv("XDG_CACHE_HOME", str(root.parent / "user"))
    monkeypatch.delenv("GANVAS_CACHE", raising=False)
    writable = array_cache.writable  # as if the first folder were of a medium that cannot be written
    monkeypatch.setattr(array_cache, "writable", lambda folders: writable(folders[1:]))
    module = make(root)
    assert levels(module) == [10, 20, 30]
    assert list((root.parent / "user" / "ganvas").glob("*.npy"))
    assert any("has a wrong checksum; it is not used" in note for note in module.notes)
    assert path.read_bytes() == content
    assert levels(make(root)) == [10, 20, 30]


def test_names_of_odd_bytes_and_great_length(root: Path) -> None:
    odd = os.fsdecode(b"\xff\xfe\x1b[31m.png")
    for name in (odd, "ü" * 120 + ".png"):
        Image.new("L", (8, 8), 40).save(root / name)
    (root / os.fsdecode(b"\xfa.png")).write_bytes(b"no image")
    for attempt in range(2):
        module = make(root, on_damaged="skip")
        assert sorted(levels(module)) == [10, 20, 30, 40, 40]
        assert all(note.isprintable() for note in module.notes)
        assert any("read decoded" in note for note in module.notes) == bool(attempt)
    with pytest.raises(OptionError, match="cannot be read as an image"):
        make(root).prepare()


@pytest.mark.parametrize(
    "content", [b"P5 0 5 255\n", b"P5 5 0 255\n", b"GIF89a\0\0\0\0\0\0\0;", b"BM" + b"\0" * 60], ids=str
)
def test_an_image_without_pixels_is_named(root: Path, content: bytes) -> None:
    (root / "a.pgm").write_bytes(content)
    with pytest.raises(OptionError, match=r"a\.pgm: cannot be read as an image") as caught:
        make(root).prepare()
    assert "division" not in str(caught.value)
    assert len(levels(make(root, on_damaged="skip"))) == 3
