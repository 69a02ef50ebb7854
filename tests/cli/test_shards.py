from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
import torch
from PIL import Image

from ganvas.cli.main import main
from ganvas.data.digits import Digits
from ganvas.data.image_folder import ImageFolder
from ganvas.data.webdataset import WebDataset


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_shards_of_a_data_set_are_that_data_set(tmp_path, capsys):
    assert main(["shards", "data=digits", "--out", "a/shards", "--images-per-shard", "500"]) == 0
    assert capsys.readouterr().out == "a/shards: 3 train, 1 val, 1 test shards\n"
    folder = tmp_path / "a" / "shards"
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["test-000000.tar", *(f"train-00000{n}.tar" for n in range(3)), "val-000000.tar"]
    there = WebDataset(root=str(folder), channels=1, image_size=8, num_workers=0)
    for name in ("train", "val", "test"):
        want, got = Digits().split(name), there.split(name)
        assert torch.equal(got.x[:], want.x)
        assert torch.equal(got.label, want.label)
    with tarfile.open(folder / "train-000001.tar") as archive:
        assert archive.getnames()[:3] == ["000000500.png", "000000500.cls", "000000501.png"]
    assert main(["shards", "--out", "again", "data=digits", "--images-per-shard=500"]) == 0
    assert (tmp_path / "again/train-000001.tar").read_bytes() == (folder / "train-000001.tar").read_bytes()


def test_colour_without_labels(tmp_path):
    noise = torch.randint(0, 256, (5, 6, 6, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    (tmp_path / "images").mkdir()
    for number, image in enumerate(noise.numpy()):
        Image.fromarray(image).save(tmp_path / f"images/{number}.png")
    words = ["data=image_folder", "data.root=images", "data.native_size=6", "data.batch_size=1"]
    assert main(["shards", *words, "data.val_fraction=0.2", "data.test_fraction=0", "--out", "shards"]) == 0
    folder = ImageFolder(root="images", image_size=6, batch_size=1, val_fraction=0.2, test_fraction=0.0)
    there = WebDataset(root="shards", image_size=6, num_workers=0, batch_size=1, test_fraction=0.0)
    for name in ("train", "val"):
        assert torch.equal(there.split(name).x[:], folder.split(name).x)
    assert there.split("train").label is None
    assert there.num_samples("test") == 0


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["data=digits", "--out", "there"], "--out=there: is not empty; name a new folder"),
        (["data=digits", "--out", "file/x"], "--out=file/x: file is a file; name a folder"),
        (["data=toy", "--out", "new"], "data=toy: has samples of [2]"),
        (
            ["data=digits", "--out", "new", "--images-per-shard", "0"],
            "--images-per-shard=0: must be at least 1",
        ),
        (
            ["data=digits", "--out", "new", "--images-per-shard", "x"],
            "--images-per-shard=x: must be a whole number",
        ),
        (["data=digits"], "--out=: is missing"),
        (["data=image_folder", "data.root=gone", "--out", "new"], "data.root=gone: does not exist"),
        (["data=digit", "--out", "new"], "data=digit: "),
        (["data.batch_siz=3", "--out", "new"], "data.batch_siz"),
    ],
)
def test_what_cannot_be_written(words, line, tmp_path, capsys):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "x").touch()
    (tmp_path / "file").touch()
    before = sorted(tmp_path.rglob("*"))
    assert main(["shards", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith(line)
    assert error.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_fewer_images_than_a_batch(tmp_path, capsys):
    (tmp_path / "images").mkdir()
    for number in range(4):
        Image.new("L", (6, 6), 40 * number).save(tmp_path / f"images/{number}.png")
    words = ["data=image_folder", "data.root=images", "data.native_size=6"]
    assert main(["shards", *words, "--out", "shards"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "shards: 1 train, 0 val, 0 test shards"
