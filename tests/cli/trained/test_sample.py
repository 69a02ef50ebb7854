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


def test_truncation_cuts_the_latents(ganvas, outputs: Path) -> None:
    cut = images(ganvas, outputs, "--num", "6", "--truncation", "0.5")
    assert not numpy.array_equal(cut, images(ganvas, outputs, "--num", "6"))
    words = ("--num", "6", "--truncation", "0.5", "--batch-size", "4")
    assert numpy.abs(images(ganvas, outputs, *words).astype(int) - cut).max() <= 1
    words = ["sample", "a_gan", "--output-dir", str(outputs), "--truncation", "-1"]
    assert ganvas(*words, code=2).stderr.startswith("--truncation=-1.0: must be above 0; ")


def test_columns_of_the_grid(ganvas, outputs: Path, tmp_path: Path) -> None:
    words = ("sample", "a_gan", "--output-dir", str(outputs), "--num", "10", "--out", "x.png", "--columns")
    ganvas(*words, "4")
    with Image.open(tmp_path / "x.png") as image:
        assert image.size == (4 * 66 + 2, 3 * 66 + 2)
    assert ganvas(*words, "0", code=2).stderr.startswith("--columns=0: must be at least 1; ")


def test_arrays_of_a_conditional_generator_have_labels(
    ganvas, outputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ganvas.model.generator.mlp import MLPGenerator

    monkeypatch.setattr(MLPGenerator, "num_classes", 7, raising=False)
    images(ganvas, outputs, "--num", "50")
    labels = numpy.load("x.npz")["labels"]
    assert labels.shape == (50,)
    assert set(labels.tolist()) == set(range(7))


def test_raw_takes_the_trained_weights(ganvas, outputs: Path) -> None:
    assert not numpy.array_equal(
        images(ganvas, outputs, "--num", "6"), images(ganvas, outputs, "--num", "6", "--raw")
    )


@pytest.mark.parametrize("run", ["a_gan", "a"])
def test_image_is_readable_and_its_name_is_printed(run: str, ganvas, outputs: Path, tmp_path: Path) -> None:
    done = ganvas("sample", run, "--output-dir", str(outputs), "--num", "9", "--out", "new/x.png")
    assert done.stdout == "new/x.png\n"
    with Image.open(tmp_path / "new" / "x.png") as image:
        image.load()
        assert image.width == image.height > 3 * 8
        assert image.convert("L").getextrema() != (0, 0)


def test_without_out_the_image_lies_in_the_run(ganvas, outputs: Path, tmp_path: Path) -> None:
    done = ganvas("sample", str(outputs / "train" / "a_gan"), "--num", "4", "--seed", "5")
    made = Path(done.stdout.strip())
    assert made == outputs / "train" / "a_gan" / "samples-4-seed5.png"
    made.unlink()
    assert not list(tmp_path.iterdir())
