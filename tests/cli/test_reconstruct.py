from __future__ import annotations

from pathlib import Path

import numpy
import pytest
from PIL import Image
from sklearn.datasets import load_digits


@pytest.mark.parametrize("split", ["test", "train"])
def test_arrays_are_originals_and_reconstructions(split: str, ganvas, outputs: Path) -> None:
    words = ("reconstruct", "b_vqvae", "--output-dir", str(outputs), "--num", "5", "--split", split)
    ganvas(*words, "--out", "x.npz")
    first = numpy.load("x.npz")
    for name in ("images", "originals"):
        assert first[name].dtype == numpy.uint8
        assert first[name].shape == (5, 8, 8, 1)
    assert not numpy.array_equal(first["images"], first["originals"])
    stored = {tuple(numpy.round(image * 255 / 16).astype(int).ravel()) for image in load_digits().images}
    for original in first["originals"]:
        assert tuple(original.astype(int).ravel()) in stored
    ganvas(*words, "--out", "y.npz", "--batch-size", "2")
    second = numpy.load("y.npz")
    assert numpy.array_equal(second["originals"], first["originals"])
    assert numpy.abs(second["images"].astype(int) - first["images"]).max() <= 1


def test_picture_is_readable(ganvas, outputs: Path, tmp_path: Path) -> None:
    ganvas("reconstruct", "b_vqvae", "--output-dir", str(outputs), "--num", "4", "--out", "x.png")
    with Image.open(tmp_path / "x.png") as picture:
        picture.load()
        assert picture.width >= 2 * 8
