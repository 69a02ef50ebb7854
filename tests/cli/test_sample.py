from __future__ import annotations

from pathlib import Path

import numpy
import pytest
from PIL import Image


def images(ganvas, outputs: Path, *words: str) -> numpy.ndarray:
    ganvas("sample", "a_gan", "--output-dir", str(outputs), "--out", "x.npz", *words)
    return numpy.load("x.npz")["images"]


def test_array_is_uint8_channels_last(ganvas, outputs: Path) -> None:
    made = images(ganvas, outputs, "--num", "6")
    assert made.dtype == numpy.uint8
    assert made.shape == (6, 8, 8, 1)
    assert len({image.tobytes() for image in made}) == 6


def test_a_sample_is_a_function_of_seed_and_number(ganvas, outputs: Path) -> None:
    six = images(ganvas, outputs, "--num", "6", "--seed", "3")
    assert numpy.array_equal(images(ganvas, outputs, "--num", "6", "--seed", "3"), six)
    assert numpy.array_equal(images(ganvas, outputs, "--num", "4", "--seed", "3"), six[:4])
    in_batches = images(ganvas, outputs, "--num", "6", "--seed", "3", "--batch-size", "4")
    assert numpy.abs(in_batches.astype(int) - six).max() <= 1  # a product's rounding may know the batch
    assert not numpy.array_equal(images(ganvas, outputs, "--num", "6", "--seed", "4"), six)


def test_raw_takes_the_trained_weights(ganvas, outputs: Path) -> None:
    assert not numpy.array_equal(
        images(ganvas, outputs, "--num", "6"), images(ganvas, outputs, "--num", "6", "--raw")
    )


@pytest.mark.parametrize("run", ["a_gan", "a"])
def test_picture_is_readable_and_its_name_is_printed(run: str, ganvas, outputs: Path, tmp_path: Path) -> None:
    done = ganvas("sample", run, "--output-dir", str(outputs), "--num", "9", "--out", "new/x.png")
    assert done.stdout == "new/x.png\n"
    with Image.open(tmp_path / "new" / "x.png") as picture:
        picture.load()
        assert picture.width == picture.height > 3 * 8
        assert picture.convert("L").getextrema() != (0, 0)


def test_without_out_the_picture_lies_in_the_run(ganvas, outputs: Path, tmp_path: Path) -> None:
    done = ganvas("sample", str(outputs / "train" / "a_gan"), "--num", "4", "--seed", "5")
    made = Path(done.stdout.strip())
    assert made == outputs / "train" / "a_gan" / "samples-4-seed5.png"
    made.unlink()
    assert not list(tmp_path.iterdir())
