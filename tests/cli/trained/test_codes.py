"""The sheet, the table and the swaps against the run's own encode and decode, through ``ganvas.load``."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from PIL import Image
from refusal import refused
from torch import Tensor

import ganvas as library
from ganvas.functional.images import to_float, to_uint8
from ganvas.model.autoencoder import Autoencoder


@pytest.fixture
def run(outputs: Path) -> Any:
    return library.load(outputs / "train" / "b_vqvae")


@pytest.fixture
def words(outputs: Path) -> list[str]:
    return ["codes", "b_vqvae", "--output-dir", str(outputs)]


def samples(run: Any, num: int, split: str = "test") -> Tensor:
    return to_float(run.data.split(split).x[:num])


def as_images(x: Tensor) -> numpy.ndarray:
    return to_uint8(x).movedim(-3, -1).numpy()


@pytest.mark.parametrize("sort", ["usage", "index"])
def test_codes_are_decoded_at_every_position_and_counted(sort: str, run: Any, words, ganvas) -> None:
    done = ganvas(*words, "--num", "50", "--sort", sort, "--most", "9", "--out", "x.npz", "--batch-size", "7")
    found = run.encode(samples(run, 50))  # [50, 1, 8]
    counts = torch.bincount(found.flatten(), minlength=256)
    order = sorted(range(256), key=lambda code: (-int(counts[code]), code))
    codes = order[:9] if sort == "usage" else list(range(9))
    arrays = numpy.load("x.npz")
    assert arrays["codes"].tolist() == codes
    assert arrays["counts"].tolist() == counts[codes].tolist()
    everywhere = torch.tensor(codes)[:, None, None].expand(-1, 1, 8)
    assert numpy.array_equal(arrays["images"], as_images(run.decode(everywhere)))
    used = int((counts > 0).sum())
    assert done.stdout.startswith(f"{used} of 256 codes in use by 50 test samples, perplexity ")
    assert done.stdout.endswith("; 9 shown\nx.npz\n")


def test_the_table_has_every_code(run: Any, words, ganvas) -> None:
    ganvas(*words, "--split", "val", "--most", "1000", "--out", "x.csv")
    found = run.encode(samples(run, 10_000, "val"))
    counts = torch.bincount(found.flatten(), minlength=256).tolist()
    with Path("x.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["code", "count", "share"]
    assert {int(row["code"]): int(row["count"]) for row in rows} == dict(enumerate(counts))
    assert len(rows) == 256
    numbers = [int(row["count"]) for row in rows]
    assert numbers == sorted(numbers, reverse=True)
    assert [float(row["share"]) for row in rows] == pytest.approx([one / sum(counts) for one in numbers])


def test_the_sheet_is_an_image_by_rows(words, ganvas, tmp_path: Path) -> None:
    ganvas(*words, "--most", "6", "--out", "x.npz")
    images = numpy.load("x.npz")["images"]
    ganvas(*words, "--most", "6", "--columns", "2", "--scale", "3", "--out", "new/x.png")
    with Image.open(tmp_path / "new" / "x.png") as image:
        board = numpy.array(image)
    assert board.shape == (3 * 26 + 2, 2 * 26 + 2)
    for number, one in enumerate(images):
        top, left = 2 + 26 * (number // 2), 2 + 26 * (number % 2)
        assert numpy.array_equal(board[top : top + 24 : 3, left : left + 24 : 3], one[..., 0])


def test_a_swap_goes_from_one_reconstruction_to_the_other(run: Any, words, ganvas, tmp_path: Path) -> None:
    ganvas(*words, "--swap", "3,70", "--steps", "5", "--out", "x.npz")
    arrays = numpy.load("x.npz")
    x = samples(run, 71)[[3, 70]]
    own, other = run.encode(x)[:, 0].tolist()
    expected = [other[:taken] + own[taken:] for taken in (0, 2, 4, 6, 8)]
    assert arrays["indices"].tolist() == [[[row] for row in expected]]
    assert arrays["images"].shape == (1, 5, 8, 8, 1)
    assert numpy.array_equal(arrays["images"][0, [0, -1]], as_images(run.reconstruct(x).x))
    between = run.decode(torch.tensor(expected)[1:4, None])
    assert numpy.array_equal(arrays["images"][0, 1:4], as_images(between))
    ganvas(*words, "--swap", "3,70", "--scale", "1", "--out", "x.png")
    with Image.open(tmp_path / "x.png") as image:
        assert image.size == (8 * 10 + 2, 12)


def test_files_lie_in_the_run_without_out(words, ganvas, outputs: Path) -> None:
    run = outputs / "train" / "b_vqvae"
    made = [run / "codes-test-level1.png", run / "codes-val-swap-1-0.png"]
    assert ganvas(*words, "--most", "2").stdout.endswith(f"{made[0]}\n")
    assert ganvas(*words, "--split", "val", "--swap", "1,0").stdout == f"{made[1]}\n"
    for path in made:
        path.unlink()


REFUSALS = [
    ("--level 2", "--level", "the run has one level of codes; take one from 1 to 1"),
    ("--level 0", "--level", "must be at least 1"),
    ("--num 0", "--num", "must be at least 1"),
    ("--num 1000000", "--num", "the test split holds 180; ask for fewer"),
    ("--most 0", "--most", "must be at least 1"),
    ("--steps 4", "--steps", "is of --swap; leave it out"),
    ("--swap 1,2 --level 1", "--level", "is of the sheet of codes, not of --swap; leave it out"),
    ("--swap 1,2 --sort index", "--sort", "not of --swap"),
    ("--swap 1,2 --steps 1", "--steps", "must be from 2 to 1000"),
    ("--swap 1", "--swap", "must be two numbers of samples from 0, as in 3,8"),
    ("--swap 1,x", "--swap", "=x: must be a whole number"),
    ("--swap 1,180", "--swap", "holds 180 samples; take numbers from 0 to 179"),
    ("--swap 1,2 --out x.csv", "--out", "must end in .png, .webp, .jpg, .jpeg or .npz"),
    ("--out x.gif", "--out", "must end in .png, .webp, .jpg, .jpeg, .npz or .csv"),
    ("--out x.csv --scale 2", "--scale", "is of images, and --out is a table; leave it out"),
    ("--out x.npz --scale 2", "--scale", "is of images, and --out is an array; leave it out"),
    ("--scale 3000", "--scale", "pixels, drawn at once, of at most"),
]


@pytest.mark.parametrize(("line", "key", "part"), REFUSALS)
def test_refusals(line: str, key: str, part: str, words, ganvas, tmp_path: Path) -> None:
    parts = [part] if not part.startswith("=") else [part.partition(":")[0] + ": ", part.partition(": ")[2]]
    out = [] if "--out" in line else ["--out", "y.png"]
    refused(ganvas, tmp_path, [*words, *out, *line.split()], key, *parts)


def test_a_gan_has_no_codes(ganvas, outputs: Path, tmp_path: Path) -> None:
    refused(ganvas, tmp_path, ["codes", str(outputs / "train" / "a_gan")], "RUN", "has no codes; it must be")


@pytest.mark.parametrize("line", ["--most 2", "--swap 0,1"])
def test_an_encoder_that_overflows_is_one_line(
    line: str, words, ganvas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encode(self: Any, x: Tensor) -> Tensor:
        codes: Tensor = self.quantizer.encode(self.encoder(x) * torch.inf)
        return codes

    monkeypatch.setattr(Autoencoder, "encode", encode)
    line_of_it = ("=b_vqvae: ", "its encoder makes numbers that are not finite")
    refused(ganvas, tmp_path, [*words, "--out", "y.png", *line.split()], "RUN", *line_of_it)
