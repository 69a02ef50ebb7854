from __future__ import annotations

import re
from pathlib import Path

import numpy
import pytest
from PIL import Image
from refusal import refused


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
    mean = images(ganvas, outputs, "--num", "3", "--truncation", "0")
    assert numpy.abs(mean.astype(int) - mean[0]).max() <= 1
    words = ["sample", "a_gan", "--output-dir", str(outputs), "--truncation", "-1"]
    assert ganvas(*words, code=2).stderr.startswith("--truncation=-1.0: must be 0 or more; ")


def test_columns_of_the_grid(ganvas, outputs: Path, tmp_path: Path) -> None:
    words = ("sample", "a_gan", "--output-dir", str(outputs), "--num", "10", "--out", "x.png", "--columns")
    ganvas(*words, "4")
    with Image.open(tmp_path / "x.png") as image:
        assert image.size == (4 * 66 + 2, 3 * 66 + 2)
    assert ganvas(*words, "0", code=2).stderr.startswith("--columns=0: must be at least 1; ")


def test_arrays_of_a_conditional_generator_have_labels(
    ganvas, outputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ganvas.model.latent_generator import LatentGenerator

    monkeypatch.setattr(LatentGenerator, "num_classes", 7)
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


WORDS = ("--num", "5", "--seed", "2", "--output-dir")


def shown(path: Path) -> numpy.ndarray:
    with Image.open(path) as image:
        return numpy.asarray(image.convert("L")).astype(int)


@pytest.mark.parametrize("ending", ["png", "webp", "jpg", "jpeg"])
@pytest.mark.parametrize("place", ["new/deep/", "there", "there/"])
def test_a_folder_takes_a_file_each(place: str, ending: str, ganvas, outputs: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    made = images(ganvas, outputs, "--num", "5", "--seed", "2")[..., 0].astype(int)
    words = ("sample", "a_gan", *WORDS, str(outputs), "--out", place, "--format", ending)
    done = ganvas(*words, "--batch-size", "2", "--scale", "3")
    folder = tmp_path / place
    assert done.stdout == f"{place.rstrip('/')}\n"
    assert not done.stderr
    assert sorted(path.name for path in folder.iterdir()) == [f"{i:06}.{ending}" for i in range(5)]
    for i in range(5):
        read = shown(folder / f"{i:06}.{ending}")
        assert read.shape == (24, 24)
        error = numpy.abs(read - made[i].repeat(3, 0).repeat(3, 1))  # a product's rounding may know the batch
        assert error.max() <= 1 if ending in ("png", "webp") else error.mean() < 4


def test_a_folder_is_png_and_not_scaled_unless_said(ganvas, outputs: Path, tmp_path: Path) -> None:
    ganvas("sample", "a_gan", *WORDS, str(outputs), "--out", "new/")
    made = images(ganvas, outputs, "--num", "5", "--seed", "2")[..., 0]
    for i in range(5):
        assert numpy.array_equal(shown(tmp_path / "new" / f"{i:06}.png"), made[i])


def test_samples_of_classes_are_read_as_a_folder_of_images(
    ganvas, outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ganvas.data.image_folder import ImageFolder
    from ganvas.model.latent_generator import LatentGenerator

    monkeypatch.setattr(LatentGenerator, "num_classes", 7)
    made = images(ganvas, outputs, "--num", "50")
    labels = numpy.load("x.npz")["labels"]
    ganvas("sample", "a_gan", "--num", "50", "--output-dir", str(outputs), "--out", "new/")
    for i, label in enumerate(labels.tolist()):
        assert numpy.array_equal(shown(tmp_path / "new" / f"{label:03}" / f"{i:06}.png"), made[i, ..., 0])
    data = ImageFolder(root="new", image_size=8, channels=1, batch_size=8, cache_dir=str(tmp_path / "cache"))
    held = [data.split(name) for name in ("train", "val", "test")]
    found = {(x.numpy().tobytes(), int(c)) for part in held for x, c in zip(part.x, part.label, strict=True)}
    stored = {(x.tobytes(), c) for x, c in zip(made[..., 0][:, None], labels.tolist(), strict=True)}
    assert found == stored


def test_what_is_there_is_written_over_where_it_is_said(ganvas, outputs: Path, tmp_path: Path) -> None:
    words = ["sample", "a_gan", "--num", "3", "--output-dir", str(outputs), "--out", "new/"]
    ganvas(*words)
    before = [shown(tmp_path / "new" / f"00000{i}.png") for i in range(3)]
    rule = "holds images already (000000.png); --overwrite writes over files of the same names"
    refused(ganvas, tmp_path, [*words, "--seed", "2"], "--out", rule)
    rule = "holds images already (000000.png)"
    refused(ganvas, tmp_path, [*words, "--format", "webp"], "--out", rule)
    ganvas(*words, "--seed", "2", "--overwrite")
    after = [shown(tmp_path / "new" / f"00000{i}.png") for i in range(3)]
    assert not any(numpy.array_equal(x, y) for x, y in zip(before, after, strict=True))
    few = ["sample", "a_gan", "--num", "2", *words[4:], "--overwrite"]
    refused(ganvas, tmp_path, few, "--out", "000002.png would stay among the samples")


@pytest.mark.parametrize("ending", ["png", "webp", "jpg", "jpeg"])
def test_a_grid_in_every_format(ending: str, ganvas, outputs: Path, tmp_path: Path) -> None:
    made = images(ganvas, outputs, "--num", "5", "--seed", "2")[..., 0].astype(int)
    words = ("sample", "a_gan", *WORDS, str(outputs), "--out", f"x.{ending}", "--columns", "3")
    for scale in (1, 5):
        ganvas(*words, "--scale", str(scale))
        read = shown(tmp_path / f"x.{ending}")
        pitch = 8 * scale + 2
        assert read.shape == (2 * pitch + 2, 3 * pitch + 2)
        for i in range(5):
            top, left = 2 + pitch * (i // 3), 2 + pitch * (i % 3)
            error = read[top : top + 8 * scale, left : left + 8 * scale]
            error = numpy.abs(error - made[i].repeat(scale, 0).repeat(scale, 1))
            assert error.max() == 0 if ending in ("png", "webp") else error.mean() < 4


@pytest.mark.parametrize("ending", ["webp", "jpg"])
def test_points_are_drawn_in_every_format(ending: str, ganvas, toy: Path, tmp_path: Path) -> None:
    ganvas("sample", str(toy), "--out", f"x.{ending}")
    with Image.open(tmp_path / f"x.{ending}") as image:
        assert image.size == (512, 512)


@pytest.mark.parametrize(
    ("words", "key", "part"),
    [
        ("--out x.gif", "--out", "must end in .png, .webp, .jpg, .jpeg or .npz, or in / for a folder"),
        ("--out nothing", "--out", "or in / for a folder"),
        ("--out new/ --format gif", "--format", "must be png, webp, jpg or jpeg"),
        ("--out x.png --format png", "--format", "is of a folder, and --out is a file; leave it out"),
        ("--format png", "--format", "is of a folder"),
        (
            "--out x.png --overwrite",
            "--overwrite",
            "=True: is of a folder, and --out is a file",
        ),
        ("--out new/ --columns 3", "--columns", "is of a grid (.png), and --out is a folder; leave it out"),
        ("--out new/ --scale 0", "--scale", "must be at least 1"),
        ("--out new/ --scale 4000", "--scale", "the image has 32,000 x 32,000 pixels, and .png takes"),
        ("--out x.npz --scale 2", "--scale", "is of images, and --out is an array; leave it out"),
        ("--out file/", "--out", "is a file; leave the / out, or name another folder"),
        ("--out new/x.webp --num 3000 --columns 3000", "--out", "a side in .webp at most 16,383"),
    ],
)
def test_bad_outputs(words: str, key: str, part: str, ganvas, outputs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    parts = part.split(": ", 1) if part.startswith("=") else [part]
    parts = [f"{parts[0]}: ", *parts[1:]] if len(parts) > 1 else parts
    refused(ganvas, tmp_path, ["sample", "a_gan", "--output-dir", str(outputs), *words.split()], key, *parts)


@pytest.mark.parametrize(
    ("words", "key", "part"),
    [
        (
            "--out new/",
            "--out",
            "points have no files of their own; --out F.npz writes any samples",
        ),
        ("--out x.png --scale 2", "--scale", "is of images, and these samples have shape [2]; leave it out"),
    ],
)
def test_points_are_no_images(words: str, key: str, part: str, ganvas, toy: Path, tmp_path: Path) -> None:
    refused(ganvas, tmp_path, ["sample", str(toy), *words.split()], key, part)


@pytest.mark.parametrize(
    ("command", "words", "reason"),
    [
        ("sample", ["--out", "x.npz"], "99,999,999,999 samples need some .* TB in ., which has .* free"),
        ("sample", ["--out", "x/"], "99,999,999,999 samples need some 410 TB in x, which has .* free"),
        ("interpolate", ["--out", "x.npz"], r"samples of \[1, 8, 8\] need .* PB of memory, and .* are free"),
        ("walk", ["--out", "x.gif"], r"samples of \[1, 8, 8\] need .* PB of memory, and .* are free"),
        ("neighbours", ["--out", "x.npz"], r"samples of \[1, 8, 8\] need .* TB of memory, and .* are free"),
        (
            "evaluate",
            ["--metrics", "precision_recall"],
            "samples in 64 features need .* TB of memory",
        ),
    ],
)
def test_more_than_fits_is_refused_before_it_is_made(
    ganvas, outputs: Path, tmp_path: Path, command: str, words: list[str], reason: str
) -> None:
    told = ganvas(
        command, "a_gan", "--output-dir", str(outputs), "--num", "99999999999", *words, code=2
    ).stderr
    assert re.match(rf"--num=99999999999: .*{reason}", told), told
    assert told.count("\n") == 1
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(("x", ".x"))]
