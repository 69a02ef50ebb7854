"""Rows of samples between two latents."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image
from refusal import refused

from ganvas.functional.slerp import slerp
from ganvas.run.folder.run_folder import RunFolder
from ganvas.run.load import load_run


def images(ganvas, outputs: Path, command: str, *words: str) -> numpy.ndarray:
    ganvas(command, "a_gan", "--output-dir", str(outputs), "--out", "x.npz", *words)
    return numpy.load("x.npz")["images"].astype(int)


@pytest.mark.parametrize("raw", [[], ["--raw"]])
def test_rows_go_from_sample_to_sample_on_an_arc(raw: list[str], ganvas, outputs: Path) -> None:
    made = images(ganvas, outputs, "interpolate", "--num", "3", "--steps", "5", "--seed", "4", *raw)
    assert made.shape == (3, 5, 8, 8, 1)
    samples = images(ganvas, outputs, "sample", "--num", "6", "--seed", "4", *raw)
    assert numpy.abs(made[:, 0] - samples[:3]).max() <= 1  # a product's rounding may know the batch
    assert numpy.abs(made[:, -1] - samples[3:]).max() <= 1
    model, _, _ = load_run(RunFolder(outputs / "train" / "a_gan"))
    z = model.latents(6, 4)
    between = model.generate(slerp(z[:3], z[3:], torch.full((3,), 0.25)), ema=not raw)
    expected = ((between + 1) * 127.5).round().permute(0, 2, 3, 1).numpy()
    assert numpy.abs(made[:, 1] - expected).max() <= 1
    straight = model.generate(torch.lerp(z[:3], z[3:], 0.25), ema=not raw)
    assert numpy.abs(made[:, 1] - ((straight + 1) * 127.5).round().permute(0, 2, 3, 1).numpy()).max() > 1


def test_truncation_cuts_the_latents(ganvas, outputs: Path) -> None:
    cut = images(ganvas, outputs, "interpolate", "--num", "2", "--truncation", "0.3")
    assert not numpy.array_equal(cut, images(ganvas, outputs, "interpolate", "--num", "2"))
    samples = images(ganvas, outputs, "sample", "--num", "4", "--truncation", "0.3")
    assert numpy.abs(cut[:, -1] - samples[2:]).max() <= 1


def test_the_image_has_a_row_for_each(ganvas, outputs: Path, tmp_path: Path) -> None:
    done = ganvas("interpolate", "a_gan", "--output-dir", str(outputs), "--num", "2", "--out", "new/x.png")
    assert done.stdout == "new/x.png\n"
    with Image.open(tmp_path / "new" / "x.png") as image:
        assert image.size == (8 * 66 + 2, 2 * 66 + 2)


def test_points_are_paths(ganvas, toy: Path, tmp_path: Path) -> None:
    ganvas("interpolate", str(toy), "--out", "x.png")
    with Image.open(tmp_path / "x.png") as image:
        assert image.size == (512, 512)
        assert len(image.getcolors(1 << 20)) >= 9  # eight paths on white
    ganvas("interpolate", str(toy), "--out", "x.npz")
    assert numpy.load("x.npz")["points"].shape == (8, 8, 2)


@pytest.mark.parametrize(
    ("words", "key", "part"),
    [
        ("b_vqvae", "RUN", "has no latents to interpolate; it must be the run of a GAN"),
        ("a_gan --steps 1", "--steps", "must be at least 2"),
        ("a_gan --num 0", "--num", "must be at least 1"),
        ("a_gan --truncation=-0.1", "--truncation", "must be 0 or more"),
        ("a_gan --truncation nan", "--truncation", "=nan: must be a finite number"),
        ("a_gan --batch-size 0", "--batch-size", "must be at least 1"),
        ("a_gan --out x.gif", "--out", "must end in .png, .webp, .jpg, .jpeg or .npz"),
    ],
)
def test_bad_input(words: str, key: str, part: str, ganvas, outputs: Path, tmp_path: Path) -> None:
    line = [*words.split(), "--output-dir", str(outputs)]
    found = [f"={outputs}/train/{words}: "] if key == "RUN" else []
    refused(ganvas, tmp_path, ["interpolate", *line], key, *found, part)


@pytest.mark.parametrize("ending", ["png", "webp", "jpg"])
def test_rows_are_scaled_in_every_format(ending: str, ganvas, outputs: Path, tmp_path: Path) -> None:
    words = ("--num", "2", "--steps", "3")
    made = images(ganvas, outputs, "interpolate", *words)[..., 0]
    done = ganvas(
        *(
            "interpolate",
            "a_gan",
            "--output-dir",
            str(outputs),
            *words,
            "--scale",
            "4",
            "--out",
            f"y.{ending}",
        )
    )
    assert done.stdout == f"y.{ending}\n"
    with Image.open(tmp_path / f"y.{ending}") as image:
        board = numpy.asarray(image.convert("L")).astype(int)
    assert board.shape == (2 * 34 + 2, 3 * 34 + 2)
    for row in range(2):
        for step in range(3):
            shown = board[2 + 34 * row : 34 + 34 * row, 2 + 34 * step : 34 + 34 * step]
            error = numpy.abs(shown - made[row, step].repeat(4, 0).repeat(4, 1))
            assert error.max() == 0 if ending in ("png", "webp") else error.mean() < 4


def test_paths_of_points_are_not_scaled(ganvas, toy: Path, tmp_path: Path) -> None:
    part = "is of images, and these samples have shape [2]; leave it out"
    refused(ganvas, tmp_path, ["interpolate", str(toy), "--out", "x.png", "--scale", "2"], "--scale", part)
