"""Samples as a file each: read back, and whole or not there."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image
from torch import Tensor

from ganvas.cli.trained.files.options import Target
from ganvas.cli.trained.files.samples import check_samples, open_samples
from ganvas.errors import OptionError
from ganvas.files.write import temporary_name
from ganvas.functional.images import to_uint8
from ganvas.modality.guess import modality_of
from ganvas.modality.image import Image as Images


def made(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(5)) * 2.2 - 1.1


def write(
    folder: Path,
    x: Tensor,
    *,
    ending: str = ".png",
    num: int = 0,
    scale: int | None = None,
    label: Tensor | None = None,
) -> list[str]:
    """The names of all files, in their order."""
    with open_samples(Target(folder, ending, is_folder=True), num or len(x), Images(), scale=scale) as file:
        for start in range(0, len(x), 4):
            file.append(x[start : start + 4], None if label is None else label[start : start + 4])
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def read(path: Path) -> numpy.ndarray:
    with Image.open(path) as image:
        return numpy.asarray(image)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("ending", [".png", ".webp"])
@pytest.mark.parametrize("scale", [None, 1, 3])
def test_files_are_the_samples(channels: int, ending: str, scale: int | None, tmp_path: Path) -> None:
    x = made(11, channels, 4, 6)
    names = write(tmp_path / "new" / "x", x, ending=ending, scale=scale)
    assert names == [f"{i:06}{ending}" for i in range(11)]
    times = scale or 1
    for name, image in zip(names, to_uint8(x).permute(0, 2, 3, 1).numpy(), strict=True):
        expected = image.repeat(times, 0).repeat(times, 1)
        shown = read(tmp_path / "new" / "x" / name)
        if channels == 1 and ending == ".png":
            shown = shown[..., None]
        assert numpy.array_equal(shown, numpy.broadcast_to(expected, shown.shape))
        assert shown.shape[:2] == (4 * times, 6 * times)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("ending", [".jpg", ".jpeg"])
def test_a_jpeg_comes_close_and_keeps_colours_apart(channels: int, ending: str, tmp_path: Path) -> None:
    ramp = torch.linspace(-0.9, 0.9, 24)
    x = torch.stack([ramp, -ramp, ramp.roll(5) / 2])[None, :channels, None].expand(-1, -1, 16, -1)
    (name,) = write(tmp_path, x, ending=ending)
    with Image.open(tmp_path / name) as image:
        assert image.format == "JPEG"
        assert image.mode == {1: "L", 3: "RGB"}[channels]
        # one sample of each colour a pixel
        assert {(part[1], part[2]) for part in image.layer} == {(1, 1)}
        shown = numpy.asarray(image).reshape(16, 24, channels).astype(int)
    error = numpy.abs(shown - to_uint8(x)[0].permute(1, 2, 0).numpy())
    assert error.max() <= 24  # of 255 levels
    assert error.mean() < 3


def test_classes_have_folders_whose_names_sort(tmp_path: Path) -> None:
    x, label = made(9, 1, 4, 4), torch.tensor([0, 11, 2, 0, 2, 11, 0, 0, 11])
    names = write(tmp_path, x, label=label)
    assert names == sorted(f"{c:03}/{i:06}.png" for i, c in enumerate(label.tolist()))
    for i, c in enumerate(label.tolist()):
        assert numpy.array_equal(read(tmp_path / f"{c:03}/{i:06}.png"), to_uint8(x)[i, 0].numpy())


def test_names_sort_also_beyond_a_million(tmp_path: Path) -> None:
    assert write(tmp_path, made(2, 1, 2, 2), num=1_000_001) == ["0000000.png", "0000001.png"]


@pytest.mark.parametrize("is_new", [True, False])
def test_an_interrupt_leaves_what_was_there(is_new: bool, tmp_path: Path) -> None:
    folder = tmp_path / "x"
    if not is_new:
        folder.mkdir()
        (folder / "000000.png").write_text("old")
    target = Target(folder, ".png", is_folder=True)
    with contextlib.suppress(KeyboardInterrupt), open_samples(target, 9, Images()) as file:
        file.append(made(7, 3, 4, 4), None)
        raise KeyboardInterrupt
    there = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert there == (set() if is_new else {"x", "x/000000.png"})
    if not is_new:
        assert (folder / "000000.png").read_text() == "old"


def test_nothing_is_left_of_files_that_cannot_be_named(tmp_path: Path) -> None:
    (tmp_path / "003").write_text("the user's")
    with pytest.raises(OSError, match="003"):
        write(tmp_path, made(2, 3, 4, 4), label=torch.tensor([3, 3]))
    assert [path.name for path in tmp_path.iterdir()] == ["003"]


def test_what_a_killed_process_left_is_no_sample(tmp_path: Path) -> None:
    left = temporary_name(tmp_path / "samples")
    left.mkdir()
    (left / "0.png").write_text("torn")
    assert write(tmp_path, made(2, 1, 2, 2)) == ["000000.png", "000001.png"]
    assert sorted(os.listdir(tmp_path)) == ["000000.png", "000001.png"]


@pytest.mark.parametrize("shape", [(2,), (2, 4, 4), (4, 4, 4), (1, 3, 4, 4)])
def test_what_is_no_image_is_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    target = Target(tmp_path / "x", ".png", is_folder=True)
    with pytest.raises(OptionError) as raised:
        check_samples(target, torch.Size(shape), None, modality_of(shape), num=4)
    assert f"these samples have shape {list(shape)}" in str(raised.value)
    assert "; --out F.npz writes any samples" in str(raised.value)


@pytest.mark.parametrize(
    ("there", "label", "other"),
    [
        (["000000.png", "000003.png"], None, None),
        (["000004.png"], None, "000004.png"),
        (["000000.jpg"], None, "000000.jpg"),
        (["holiday.HEIC"], None, "holiday.HEIC"),
        (["001/000000.png", "notes.txt"], [1, 0, 0, 1], None),
        (["000000.png"], [1, 0, 0, 1], "000000.png"),
        (["001/000001.png"], [1, 0, 0, 1], "001/000001.png"),
    ],
)
def test_samples_do_not_mix_with_other_images(
    there: list[str], label: list[int] | None, other: str | None, tmp_path: Path
) -> None:
    for name in there:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    target = Target(tmp_path, ".png", is_folder=True)
    labels = None if label is None else torch.tensor(label)
    expected = pytest.raises(OptionError) if other else contextlib.nullcontext()
    with expected as raised:
        check_samples(target, torch.Size((1, 4, 4)), labels, Images(), num=4)
    if other:
        assert f": {other} would stay among the samples" in str(raised.value)
