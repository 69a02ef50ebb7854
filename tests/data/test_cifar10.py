from __future__ import annotations

import hashlib
import io
import os
import pickle
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from ganvas.data.cifar10 import CIFAR10, parse_batch
from ganvas.errors import OptionError

NAMES = list(CIFAR10.batch_md5)


def batch(number: int, count: int = 4) -> dict[bytes, object]:
    """Red is the batch's number, green each pixel's row, blue its column."""
    red = np.full((count, 32, 32), number)
    row, column = np.broadcast_arrays(np.arange(32)[:, None], np.arange(32))
    green, blue = (np.broadcast_to(channel, (count, 32, 32)) for channel in (row, column))
    data = np.stack([red, green, blue], axis=1).reshape(count, -1).astype(np.uint8)
    labels = [(number * count + i) % 10 for i in range(count)]
    return {b"data": data, b"labels": labels, b"batch_label": b"x", b"filenames": [b"a.png"] * count}


@pytest.fixture
def contents(monkeypatch) -> dict[str, bytes]:
    """Small batches, whose hashes take the place of the real ones."""
    contents = {name: pickle.dumps(batch(number), protocol=4) for number, name in enumerate(NAMES)}
    for name, content in contents.items():
        monkeypatch.setitem(CIFAR10.batch_md5, name, hashlib.md5(content).hexdigest())
    return contents


def write_archive(folder: Path, contents: dict[str, bytes], monkeypatch) -> Path:
    path = folder / CIFAR10.archive
    with tarfile.open(path, "w:gz") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(f"{CIFAR10.folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    monkeypatch.setattr(CIFAR10, "archive_sha256", hashlib.sha256(path.read_bytes()).hexdigest())
    return path


def make(root: Path, **options) -> CIFAR10:
    return CIFAR10(root=str(root), **({"batch_size": 4, "num_val": 6} | options))


def test_parse_batch_keeps_channel_row_and_column():
    stored = parse_batch(pickle.dumps(batch(3), protocol=4))
    assert stored.x.shape == (4, 3, 32, 32)
    assert stored.x[2, :, 5, 9].tolist() == [3, 5, 9]
    assert stored.label.tolist() == [2, 3, 4, 5]


class Python2Pickler(pickle._Pickler):  # type: ignore[name-defined]
    """Writes strings as Python 2 did, and so as the published archive holds them."""

    dispatch = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]

    def save_string(self, value: str | bytes) -> None:
        content = value.encode() if isinstance(value, str) else value
        self.write(pickle.BINSTRING + struct.pack("<i", len(content)) + content)
        self.memoize(value)

    dispatch[str] = dispatch[bytes] = save_string


def test_parse_batch_as_python_2_wrote_it():
    file = io.BytesIO()
    Python2Pickler(file, protocol=2).dump(batch(3))
    content = file.getvalue().replace(b"numpy._core", b"numpy.core")
    assert b"cnumpy.core.multiarray\n" in content
    stored = parse_batch(content)
    assert stored.x[2, :, 5, 9].tolist() == [3, 5, 9]
    assert stored.label.tolist() == [2, 3, 4, 5]


def test_archive_and_batches_give_the_same(tmp_path, contents, monkeypatch):
    for folder in ("archive", "batches/cifar-10-batches-py", "direct"):
        (tmp_path / folder).mkdir(parents=True)
    write_archive(tmp_path / "archive", contents, monkeypatch)
    for folder in ("batches/cifar-10-batches-py", "direct"):
        for name, content in contents.items():
            (tmp_path / folder / name).write_bytes(content)
    modules = [make(tmp_path / folder) for folder in ("archive", "batches", "direct")]
    assert len({str(module.fingerprint()) for module in modules}) == 1
    module = modules[0]
    assert [module.num_samples(name) for name in ("train", "val", "test")] == [14, 6, 4]
    assert module.split("test").x[:, 0, 0, 0].tolist() == [5] * 4
    assert module.split("test").label.tolist() == [0, 1, 2, 3]
    red = torch.cat([module.split(name).x[:, 0, 0, 0] for name in ("train", "val")])
    assert sorted(red.tolist()) == [number for number in range(5) for _ in range(4)]


def test_damaged_files_are_named(tmp_path, contents, monkeypatch):
    path = write_archive(tmp_path, contents, monkeypatch)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(OptionError, match=r"cifar-10-python.tar.gz.*delete it"):
        make(tmp_path).prepare()
    path.unlink()
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "data_batch_3").write_bytes(b"")
    with pytest.raises(OptionError, match=r"data_batch_3.*delete it"):
        make(tmp_path).prepare()


def test_an_archive_without_a_batch(tmp_path, contents, monkeypatch):
    del contents["data_batch_2"]
    write_archive(tmp_path, contents, monkeypatch)
    with pytest.raises(OptionError, match="data_batch_2"):
        make(tmp_path).prepare()


def write_members(folder: Path, members: list[tuple[tarfile.TarInfo, bytes]], monkeypatch) -> None:
    """An archive of any members, taken as the pinned one."""
    path = folder / CIFAR10.archive
    with tarfile.open(path, "w:gz") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    monkeypatch.setattr(CIFAR10, "archive_sha256", hashlib.sha256(path.read_bytes()).hexdigest())


def test_members_are_read_by_their_whole_name_and_nothing_is_extracted(tmp_path, contents, monkeypatch):
    root = tmp_path / "root"
    root.mkdir()
    members = [(tarfile.TarInfo(f"{CIFAR10.folder}/{name}"), content) for name, content in contents.items()]
    others = ["../data_batch_1", "/data_batch_1", "data_batch_1", f"{CIFAR10.folder}/../data_batch_1", "x/y"]
    members += [(tarfile.TarInfo(name), b"not a batch") for name in others]
    write_members(root, members, monkeypatch)
    assert make(root).prepare() is None
    assert [path.name for path in tmp_path.rglob("*")] == ["root", CIFAR10.archive]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_a_member_that_is_no_file_is_no_batch(kind, tmp_path, contents, monkeypatch):
    members = [(tarfile.TarInfo(f"{CIFAR10.folder}/{name}"), content) for name, content in contents.items()]
    link = tarfile.TarInfo(f"{CIFAR10.folder}/data_batch_1")
    link.type, link.linkname = kind, f"{CIFAR10.folder}/data_batch_2"
    write_members(tmp_path, [(link, b""), *members[1:]], monkeypatch)
    with pytest.raises(OptionError, match="data_batch_1"):
        make(tmp_path).prepare()


@pytest.mark.parametrize("change", ["many", "large"])
def test_members_are_limited(change, tmp_path, contents, monkeypatch):
    monkeypatch.setattr("ganvas.data.cifar10._MAX_MEMBER", 20_000)
    members = [(tarfile.TarInfo(f"{CIFAR10.folder}/{name}"), content) for name, content in contents.items()]
    extra = (
        [(tarfile.TarInfo("x"), b"x")] * 26 if change == "many" else [(tarfile.TarInfo("x"), bytes(20_000))]
    )
    write_members(tmp_path, [*members, *extra], monkeypatch)
    make(tmp_path).prepare()  # at the limit
    extra = [*extra, (tarfile.TarInfo("x"), bytes(20_001 if change == "large" else 1))]
    write_members(tmp_path, [*extra, *members], monkeypatch)
    with pytest.raises(OptionError, match="more or larger"):
        make(tmp_path).prepare()


class Harm:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_pickle_that_runs_code_is_refused(tmp_path, contents, monkeypatch):
    target = tmp_path / "made"
    content = pickle.dumps({b"data": Harm(str(target)), b"labels": []}, protocol=4)
    for name in NAMES:
        (tmp_path / name).write_bytes(content)
        monkeypatch.setitem(CIFAR10.batch_md5, name, hashlib.md5(content).hexdigest())
    with pytest.raises(OptionError, match="mkdir, which is no plain data"):
        make(tmp_path).prepare()
    assert not target.exists()


@pytest.mark.parametrize("name", ["numpy\nfromfile", "numpy.core.multiarray\nfrombuffer", "builtins\neval"])
def test_other_names_of_numpy_are_refused(name):
    with pytest.raises(pickle.UnpicklingError, match="no plain data"):
        parse_batch(b"c" + name.encode() + b"\n.")


def test_missing_root(tmp_path):
    with pytest.raises(OptionError, match=r"put the files cifar-10-python.tar.gz by hand into"):
        make(tmp_path / "none").prepare()
    with pytest.raises(OptionError, match="root=null"):
        CIFAR10().prepare()
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match="is a file"):
        make(tmp_path / "file").prepare()


@pytest.mark.parametrize("name", ["cifar-10-python.tar.gz", "data_batch_3"])
@pytest.mark.parametrize("put", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_not_waited_for(tmp_path, put, name):
    for batch in CIFAR10.batch_md5 if name.startswith("data") else ():
        (tmp_path / batch).write_bytes(b"")
    (tmp_path / name).unlink(missing_ok=True)
    put(tmp_path / name)
    with pytest.raises(OptionError, match=r"cannot be read as CIFAR-10 .*is no regular file"):
        CIFAR10(root=str(tmp_path), num_val=1).prepare()
