"""A share of the training samples: which ones stay, and of whose data."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from ganvas.data.datamodule import TensorDataModule
from ganvas.data.digits import Digits
from ganvas.data.image_folder import ImageFolder
from ganvas.data.loading.fraction import kept_rows
from ganvas.data.loading.stored import Stored
from ganvas.data.stacked_digits import StackedDigits
from ganvas.data.toy import Toy
from ganvas.data.webdataset import WebDataset
from ganvas.errors import OptionError

SMALL = {"num_train": 400, "num_val": 40, "num_test": 30}


def colours(folder: Path, count: int) -> None:
    """``count`` one-coloured images of classes a, b, c: of c one alone."""
    for number in range(count):
        name = "c" if number == count - 1 else "ab"[number % 2]
        (folder / name).mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), number).save(folder / name / f"{number:03}.png")


def shards(folder: Path, counts: list[int]) -> None:
    folder.mkdir()
    total = 0
    for number, count in enumerate(counts):
        with tarfile.open(folder / f"train-{number}.tar", "w") as archive:
            for sample in range(total, total + count):
                file = io.BytesIO()
                Image.new("L", (8, 8), sample).save(file, "png")
                for suffix, content in ((".png", file.getvalue()), (".cls", str(sample % 3).encode())):
                    about = tarfile.TarInfo(f"{sample:03}{suffix}")
                    about.size = len(content)
                    archive.addfile(about, io.BytesIO(content))
        total += count


def folder_of_images(path: Path, **options: Any) -> ImageFolder:
    if not path.exists():
        colours(path, 60)
    more = {"channels": 1, "image_size": 8, "val_fraction": 0.0, "test_fraction": 0.0}
    return ImageFolder(root=str(path), **(more | options))


def sharded(path: Path, **options: Any) -> WebDataset:
    if not path.exists():
        shards(path, [20, 1, 39])
    more = {"channels": 1, "image_size": 8, "val_fraction": 0.0, "test_fraction": 0.0, "num_workers": 0}
    return WebDataset(root=str(path), **(more | options))


MODULES: dict[str, Callable[..., TensorDataModule]] = {
    "digits": lambda path, **options: Digits(**options),
    "toy": lambda path, **options: Toy(**SMALL, **options),
    "stacked_digits": lambda path, **options: StackedDigits(**SMALL, **options),
    "image_folder": folder_of_images,
    "webdataset": sharded,
}


def whole(stored: Stored) -> tuple[torch.Tensor, torch.Tensor | None]:
    return stored.x[:], stored.label


def test_of_each_class_its_share_and_a_sample_at_least() -> None:
    label = torch.tensor([0] * 700 + [7] * 290 + [3] * 10)[torch.randperm(1000)]
    rows = kept_rows(1000, label, 0.1)
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert [int((label[rows] == one).sum()) for one in (0, 7, 3)] == [70, 29, 1]
    few = kept_rows(1000, label, 0.003)
    assert sorted(label[few].tolist()) == [0, 3, 7]
    assert len(kept_rows(1000, label, 0.0006)) == 1


def test_samples_are_a_function_of_their_number_alone() -> None:
    label = torch.arange(500) % 4
    for labels in (label, None):
        rows = kept_rows(500, labels, 0.1)
        torch.manual_seed(17)  # no global stream is read
        assert torch.equal(kept_rows(500, labels, 0.1), rows)
        assert set(rows.tolist()) < set(kept_rows(500, labels, 0.3).tolist()), "a larger share keeps them"
        assert torch.equal(kept_rows(500, labels, 1.0), torch.arange(500))
    other = kept_rows(500, None, 0.1)
    assert len(other) == 50
    # spread over the whole split: a mean of 50 of range(500) has a deviation of 19.4
    assert other.double().mean().item() == pytest.approx(249.5, abs=4 * 19.4)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_trains_on_its_share_alone(name: str, tmp_path: Path) -> None:
    make, path = MODULES[name], tmp_path / "images"
    every, some = make(path, batch_size=4, seed=3), make(path, batch_size=4, seed=3, train_fraction=0.2)
    every.prepare()
    some.prepare()
    x, label = whole(every.split("train"))
    rows = kept_rows(len(x), label, 0.2)
    assert some.num_samples("train") == len(rows) == round(0.2 * len(x)) < len(x)
    left, left_label = whole(some.split("train"))
    assert torch.equal(left, x[rows])
    assert label is not None
    assert left_label is not None
    assert torch.equal(left_label, label[rows])
    for split in ("val", "test"):
        assert some.describe_split(split) == every.describe_split(split)
        assert torch.equal(some.split(split).x[:], every.split(split).x[:])
    assert some.num_classes == every.num_classes
    assert some.fingerprint() != every.fingerprint()
    assert some.describe_split("train")["samples"] == len(rows)
    assert some.describe_split("train")["sha256"] != every.describe_split("train")["sha256"]
    assert len(some.train_dataloader()) == len(rows) // 4
    taken = torch.cat([batch.x for batch in some.train_dataloader()])
    assert len(taken) == len(rows) // 4 * 4
    pool = {row.numpy().tobytes() for row in x[rows]}
    assert all(row.numpy().tobytes() in pool for row in taken)
    assert f"{len(rows)} of {len(x):,} training samples" in some.notes[-1]
    # what a classifier of these data is kept by: it judges runs of every share alike
    assert some.facts().train_sha256 == every.facts().train_sha256
    assert (some.facts().train_fraction, every.facts().train_fraction) == (0.2, 1.0)
    assert some.facts().overrides == every.facts().overrides


@pytest.mark.parametrize("name", ["digits", "image_folder", "webdataset"])
def test_every_seed_trains_on_the_same(name: str, tmp_path: Path) -> None:
    shares = [
        MODULES[name](tmp_path / "images", batch_size=4, seed=seed, train_fraction=0.2) for seed in (0, 9)
    ]
    assert torch.equal(*[share.split("train").x[:] for share in shares])


def test_the_share_is_of_what_is_held_out(tmp_path: Path) -> None:
    options = {"batch_size": 4, "val_fraction": 0.25}
    every = folder_of_images(tmp_path / "images", **options)
    some = folder_of_images(tmp_path / "images", train_fraction=0.2, **options)
    assert torch.equal(some.split("val").x, every.split("val").x)
    assert some.num_samples("train") == 9


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.1, float("nan")])
def test_what_is_no_share_is_refused(fraction: float) -> None:
    with pytest.raises(OptionError, match="must be above 0 and at most 1") as error:
        Digits(train_fraction=fraction)
    assert error.value.option == "train_fraction"


@pytest.mark.parametrize("name", MODULES)
def test_less_than_a_batch_is_refused(name: str, tmp_path: Path) -> None:
    module = MODULES[name](tmp_path / "images", batch_size=32, train_fraction=0.02)
    with pytest.raises(OptionError, match=r"fewer than batch_size=32; take 0\.\d+ or more") as error:
        module.prepare()
    assert error.value.option == "train_fraction"
    least = float(str(error.value).rpartition("take ")[2].partition(" ")[0])
    MODULES[name](tmp_path / "images", batch_size=32, train_fraction=least).prepare()
