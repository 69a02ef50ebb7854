"""Samples beside their nearest training images."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image
from refusal import SMOKE, refused
from sklearn.neighbors import NearestNeighbors

from ganvas.data.digits import Digits
from ganvas.run.folder.run_folder import RunFolder
from ganvas.run.load import load_run


@pytest.mark.parametrize("features", [None, "pixels"])
def test_as_scikit_learn_finds_them(features: str | None, ganvas, outputs: Path) -> None:
    words = ["--num", "5", "--k", "3", "--seed", "2", "--batch-size", "200"]
    words += [] if features is None else ["--features", features]
    done = ganvas("neighbours", "a_gan", "--output-dir", str(outputs), *words, "--out", "x.npz")
    made = numpy.load("x.npz")
    model, data, _ = load_run(RunFolder(outputs / "train" / "a_gan"))
    assert isinstance(data, Digits)
    train = torch.cat([batch.x for batch in data.batches("train", 64)])
    samples = model.sample(5, 2)
    reference = NearestNeighbors(n_neighbors=3, algorithm="brute").fit(train.flatten(1).double().numpy())
    distances, numbers = reference.kneighbors(samples.flatten(1).double().numpy())
    assert numpy.array_equal(made["numbers"], numbers)
    numpy.testing.assert_allclose(made["distances"], distances, rtol=1e-5)
    shown = ((train[torch.from_numpy(numbers)] + 1) * 127.5).round().permute(0, 1, 3, 4, 2).numpy()
    assert numpy.array_equal(made["neighbours"], shown)
    assert made["images"].shape == (5, 8, 8, 1)
    least, most = distances[:, 0].min(), distances[:, 0].max()
    scale = 1 if features else 1 / 8 / 2  # 64 values, from [-1, 1] to [0, 1]
    assert f"nearest: {least * scale:.3g} to {most * scale:.3g} away (" in done.stdout


def test_the_sheet_has_a_row_for_each_sample(ganvas, outputs: Path, tmp_path: Path) -> None:
    words = ("--num", "3", "--k", "2", "--out", "new/x.png")
    done = ganvas("neighbours", "a_gan", "--output-dir", str(outputs), *words)
    assert done.stdout.splitlines()[1:] == ["new/x.png"]
    with Image.open(tmp_path / "new" / "x.png") as image:
        assert image.size == (68 + 4 + 2 * 66 + 2, 3 * 66 + 2)


@pytest.mark.parametrize("ending", ["png", "webp", "jpg"])
def test_the_sheet_is_scaled_in_every_format(ending: str, ganvas, outputs: Path, tmp_path: Path) -> None:
    words = ("neighbours", "a_gan", "--output-dir", str(outputs), "--num", "2", "--k", "2", "--out")
    ganvas(*words, "x.npz")
    arrays = {name: array.astype(int) for name, array in numpy.load("x.npz").items()}
    ganvas(*words, f"x.{ending}", "--scale", "3")
    with Image.open(tmp_path / f"x.{ending}") as image:
        board = numpy.asarray(image.convert("L")).astype(int)
    assert board.shape == (2 * 26 + 2, 28 + 4 + 2 * 26 + 2)
    for i in range(2):
        places = [(2, arrays["images"][i]), *zip((34, 60), arrays["neighbours"][i], strict=True)]
        for left, one in places:
            shown = board[2 + 26 * i : 26 + 26 * i, left : left + 24]
            error = numpy.abs(shown - one[..., 0].repeat(3, 0).repeat(3, 1))
            assert error.max() == 0 if ending in ("png", "webp") else error.mean() < 4


def test_a_planted_image_is_the_nearest(ganvas, there: Path) -> None:
    """A sample, saved among the training images after training, is found first, at a level's rounding."""
    words = ["data=image_folder", "data.root=flat", "data.batch_size=2", "data.native_size=8"]
    ganvas(*SMOKE, *words, "callback=none", "paths.run_dir=outputs/train/c")
    ganvas("sample", "c", "--num", "3", "--out", "s.npz")
    planted = numpy.load("s.npz")["images"][1]
    Image.fromarray(planted).save(there / "flat" / "3.png")
    ganvas("neighbours", "c", "--num", "3", "--k", "2", "--out", "x.npz")
    made = numpy.load("x.npz")
    assert numpy.array_equal(made["neighbours"][1, 0], planted)
    assert made["distances"][1, 0] <= 0.5 / 127.5 * planted.size**0.5
    assert made["distances"][1, 1] > 10 * made["distances"][1, 0]


@pytest.mark.parametrize(
    ("words", "key", "part"),
    [
        ("b_vqvae", "RUN", "has no latents to find neighbours of; it must be the run of a GAN"),
        ("a_gan --k 0", "--k", "must be at least 1"),
        ("a_gan --k 5000", "--k", "training samples; ask for fewer"),
        ("a_gan --num 0", "--num", "must be at least 1"),
        ("a_gan --out x.png --scale 3000", "--scale", "pixels, drawn at once, of at most 268,435,456"),
        ("a_gan --out x.npz --scale 2", "--scale", "is of images, and --out is an array"),
        ("a_gan --out x.gif", "--out", "must end in .png, .webp, .jpg, .jpeg or .npz"),
        ("a_gan --features pixel", "--features", "pixels"),
        ("a_gan --features none", "--features", "; "),
        ("a_gan --features toy", "--features", "; "),
    ],
)
def test_bad_input(words: str, key: str, part: str, ganvas, outputs: Path, tmp_path: Path) -> None:
    line = [*words.split(), "--output-dir", str(outputs)]
    found = [f"={outputs}/train/{words}: "] if key == "RUN" else []
    refused(ganvas, tmp_path, ["neighbours", *line], key, *found, part)


def test_points_have_none(ganvas, toy: Path, tmp_path: Path) -> None:
    words = ["neighbours", str(toy)]
    refused(
        ganvas,
        tmp_path,
        words,
        "RUN",
        f"={toy}: ",
        "has samples of shape [2]; neighbours are of what can be drawn by itself",
    )
