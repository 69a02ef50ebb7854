from __future__ import annotations

import gzip
import hashlib
import os
import struct
import time
from pathlib import Path

import pytest
import torch

from ganvas.data.files.idx import IdxDataModule, parse_idx
from ganvas.errors import OptionError
from ganvas.functional.download import TIMEOUT

TRAIN = torch.randint(0, 256, (30, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
TEST = torch.randint(0, 256, (6, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))


def idx(x: torch.Tensor) -> bytes:
    header = struct.pack(f">HBB{x.dim()}I", 0, 8, x.dim(), *x.shape)
    return header + bytes(x.flatten().tolist())


FILES = {
    "train-images": idx(TRAIN),
    "train-labels": idx((torch.arange(30) % 3).to(torch.uint8)),
    "test-images": idx(TEST),
    "test-labels": idx((torch.arange(6) % 3).to(torch.uint8)),
}


class Small(IdxDataModule):
    title = "Small"
    contents = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}


def make(root: Path | str | None, **options) -> Small:
    defaults = {"batch_size": 4, "image_size": 4, "num_classes": 3, "num_val": 5}
    return Small(root=None if root is None else str(root), **(defaults | options))


def write(folder: Path, *, zipped: set[str] = frozenset()) -> None:
    folder.mkdir(exist_ok=True)
    for name, content in FILES.items():
        if name in zipped:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content, compresslevel=1))
        else:
            (folder / name).write_bytes(content)


def test_parse():
    content = b"\0\0\x08\x02" + b"\0\0\0\x02" + b"\0\0\0\x03" + bytes([1, 2, 3, 4, 5, 255])
    assert parse_idx(content).tolist() == [[1, 2, 3], [4, 5, 255]]


def test_raw_and_gzipped_files_give_the_same_splits(tmp_path):
    write(tmp_path / "a")
    write(tmp_path / "b", zipped={"train-images", "test-labels"})
    first, second = make(tmp_path / "a", seed=1), make(tmp_path / "b", seed=2)
    assert first.fingerprint() == second.fingerprint()
    assert [first.num_samples(name) for name in ("train", "val", "test")] == [25, 5, 6]
    assert torch.equal(first.split("test").x, TEST[:, None])
    assert first.split("test").label.tolist() == [0, 1, 2, 0, 1, 2]
    together = {
        (tuple(x.flatten().tolist()), int(label))
        for name in ("train", "val")
        for x, label in zip(first.split(name).x, first.split(name).label)
    }
    assert together == {(tuple(x.flatten().tolist()), i % 3) for i, x in enumerate(TRAIN)}


def test_the_system_folder_serves_what_root_lacks(tmp_path, monkeypatch):
    write(tmp_path / "system")
    monkeypatch.setattr(Small, "system_folder", tmp_path / "system")
    make(tmp_path / "missing").prepare()
    make(None).prepare()
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize("damage", ["other content", "truncated", "empty", "truncated gzip", "no gzip"])
def test_a_damaged_file_is_named(tmp_path, damage):
    zipped = {"train-labels"} if "gzip" in damage else set()
    write(tmp_path, zipped=zipped)
    path = tmp_path / ("train-labels.gz" if zipped else "train-labels")
    content = path.read_bytes()
    path.write_bytes(
        {
            "other content": content[:-1] + b"\1",
            "truncated": content[:-1],
            "empty": b"",
            "truncated gzip": content[:-9],
            "no gzip": b"hello",
        }[damage]
    )
    with pytest.raises(OptionError, match=r"train-labels.*delete it") as caught:
        make(tmp_path).prepare()
    assert caught.value.option == "root"


def test_missing_files(tmp_path):
    write(tmp_path)
    (tmp_path / "test-images").unlink()
    with pytest.raises(OptionError, match=r"put the files test-images.gz by hand into"):
        make(tmp_path).prepare()
    with pytest.raises(OptionError, match="root=null"):
        make(None).prepare()
    with pytest.raises(OptionError, match="is a file"):
        make(tmp_path / "train-images").prepare()


def test_unreachable_mirrors_leave_nothing_behind(tmp_path):
    module = make(tmp_path / "new", mirrors=["http://127.0.0.1:9", "http://127.0.0.1:9/b"])
    with pytest.raises(OptionError, match=r"no mirror could be reached .*train-images.gz, train-labels.gz"):
        module.prepare()
    assert not (tmp_path / "new").exists()
    assert TIMEOUT < 10


@pytest.mark.parametrize(
    ("options", "option"),
    [({"num_val": -1}, "num_val"), ({"num_val": 30}, "num_val"), ({"mirrors": ["ftp://a"]}, "mirrors")],
)
def test_arguments_out_of_range(tmp_path, options, option):
    write(tmp_path)
    with pytest.raises(OptionError) as caught:
        make(tmp_path, **options).prepare()
    assert caught.value.option == option


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("put", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_not_waited_for(tmp_path, put, zipped):
    write(tmp_path, zipped={"test-images"})
    (tmp_path / "test-images.gz").unlink()
    path = tmp_path / ("test-images.gz" if zipped else "test-images")
    put(path)
    with pytest.raises(OptionError, match=rf"^root={path}: cannot be read .*is no regular file"):
        make(tmp_path).prepare()


def test_a_gzip_bomb_is_unpacked_no_further_than_a_file_can_be(tmp_path, monkeypatch):
    monkeypatch.setattr("ganvas.data.files.idx.MAX_BYTES", 1_000)
    write(tmp_path)
    (tmp_path / "test-images").unlink()
    with gzip.open(tmp_path / "test-images.gz", "wb") as file:
        for _ in range(10):
            file.write(bytes(1_000_000))
    with pytest.raises(OptionError, match=r"test-images.gz: is not Small's file of this name"):
        make(tmp_path).prepare()


def test_a_root_of_any_name_is_refused_in_words():
    for root in ("x" * 300, "a\0b"):
        with pytest.raises(OptionError, match=r"^root="):
            make(root).prepare()


def test_zeros_behind_a_gz_cost_nothing(tmp_path: Path) -> None:
    write(tmp_path, zipped=set(FILES))
    os.truncate(tmp_path / "train-labels.gz", 60_000_000)
    began = time.process_time()
    assert len(make(tmp_path).split("train")) == 25
    assert time.process_time() - began < 3
