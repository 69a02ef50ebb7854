from __future__ import annotations

from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image
from refusal import refused
from sklearn.datasets import load_digits

from ganvas.functional.colours import code_colours


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


def test_codes_are_drawn_beside_the_pairs(ganvas, outputs: Path, tmp_path: Path) -> None:
    words = ("reconstruct", "b_vqvae", "--output-dir", str(outputs), "--num", "2", "--codes", "new/codes.png")
    done = ganvas(*words, "--out", "x.npz")
    assert done.stdout == "x.npz\nnew/codes.png\n"
    arrays = numpy.load("x.npz")
    assert arrays["indices"].shape == (2, 8)  # eight vectors a digit, of 256 codes
    with Image.open(tmp_path / "new" / "codes.png") as image:
        board = numpy.array(image)
    assert board.shape == (2 * 66 + 2, 3 * 66 + 2, 3)
    for i in range(2):
        row = board[2 + 66 * i : 66 + 66 * i]
        for column, name in enumerate(("originals", "images")):
            left = 2 + 66 * column
            assert numpy.array_equal(row[::8, left : left + 64 : 8, :1], arrays[name][i])
        colours = code_colours(torch.from_numpy(arrays["indices"][i]), 256).numpy()
        assert (row[:, 134:198:8] == colours).all()


@pytest.mark.parametrize(
    ("codes", "part"),
    [("x.npz", "must end in .png"), ("x.png", "is the file of --out; name another")],
)
def test_bad_files_for_codes(codes: str, part: str, ganvas, outputs: Path, tmp_path: Path) -> None:
    words = ["reconstruct", "b_vqvae", "--output-dir", str(outputs), "--out", "x.png", "--codes", codes]
    refused(ganvas, tmp_path, words, "--codes", part)


def test_image_is_readable(ganvas, outputs: Path, tmp_path: Path) -> None:
    ganvas("reconstruct", "b_vqvae", "--output-dir", str(outputs), "--num", "4", "--out", "x.png")
    with Image.open(tmp_path / "x.png") as image:
        image.load()
        assert image.width >= 2 * 8
