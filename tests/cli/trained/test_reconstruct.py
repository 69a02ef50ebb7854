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
    assert arrays["indices"].shape == (2, 1, 8)  # eight vectors a digit, of 256 codes
    with Image.open(tmp_path / "new" / "codes.png") as image:
        board = numpy.array(image)
    assert board.shape == (2 * 66 + 2, 3 * 66 + 2, 3)
    for i in range(2):
        row = board[2 + 66 * i : 66 + 66 * i]
        for column, name in enumerate(("originals", "images")):
            left = 2 + 66 * column
            assert numpy.array_equal(row[::8, left : left + 64 : 8, :1], arrays[name][i])
        colours = code_colours(torch.from_numpy(arrays["indices"][i, 0]), 256).numpy()
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


@pytest.mark.parametrize("ending", ["png", "webp", "jpg", "jpeg"])
def test_pairs_and_codes_are_scaled_in_every_format(
    ending: str, ganvas, outputs: Path, tmp_path: Path
) -> None:
    words = ("reconstruct", "b_vqvae", "--output-dir", str(outputs), "--num", "2")
    ganvas(*words, "--out", "x.npz")
    arrays = {name: array.astype(int) for name, array in numpy.load("x.npz").items()}
    ganvas(*words, "--scale", "3", "--out", f"x.{ending}", "--codes", f"c.{ending}")
    for name, columns in (("x", 2), ("c", 3)):
        with Image.open(tmp_path / f"{name}.{ending}") as image:
            board = numpy.asarray(image.convert("L" if name == "x" else "RGB")).astype(int)
        assert board.shape[:2] == (2 * 26 + 2, columns * 26 + 2)
        for i in range(2):
            for column, side in enumerate(("originals", "images")):
                shown = board[2 + 26 * i : 26 + 26 * i, 2 + 26 * column : 26 + 26 * column]
                expected = arrays[side][i].repeat(3, 0).repeat(3, 1)
                error = numpy.abs(shown.reshape(24, 24, -1) - expected)
                assert error.max() == 0 if ending in ("png", "webp") else error.mean() < 4


def test_codes_without_a_pixel_each_are_refused() -> None:
    from drawn import draw_codes

    from ganvas.errors import OptionError

    x, indices = torch.zeros(1, 1, 4, 4), torch.arange(9)[None]
    with pytest.raises(OptionError, match=r"^scale=2: must be at least 3, so that every code has a pixel"):
        draw_codes(x, x, [indices], [16], scale=2)
    assert draw_codes(x, x, [indices], [16], scale=3).shape == (3, 16, 3 * 14 + 2)


@pytest.mark.parametrize(
    ("words", "key", "part"),
    [
        ("--out x.npz --scale 2", "--scale", "is of images, and --out is an array; leave it out"),
        ("--out x.png --scale 0", "--scale", "must be at least 1"),
        ("--out new/x.png --scale 3000", "--scale", "makes 1,152,000,000 pixels, drawn at once, of at most"),
        ("--out new/", "--out", "=new: must end in .png, .webp, .jpg, .jpeg or .npz"),
    ],
)
def test_bad_outputs(words: str, key: str, part: str, ganvas, outputs: Path, tmp_path: Path) -> None:
    line = ["reconstruct", "b_vqvae", "--output-dir", str(outputs), "--num", "1", *words.split()]
    refused(ganvas, tmp_path, line, key, part)


def test_nothing_is_written_where_one_of_two_files_cannot_be(ganvas, outputs: Path, tmp_path: Path) -> None:
    words = ["reconstruct", "b_vqvae", "--output-dir", str(outputs), "--num", "2", "--scale", "300"]
    words += ["--out", "x.npz", "--codes", "c.webp"]
    refused(ganvas, tmp_path, words, "--codes", ".webp takes at most 20,000,000 at once")
