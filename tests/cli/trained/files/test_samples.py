"""Samples written in pieces: the files are those of one piece, and the memory is bounded."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
import torch
from drawn import draw
from PIL import Image
from torch import Tensor

from ganvas.cli.trained.files import grid
from ganvas.cli.trained.files.options import Target
from ganvas.cli.trained.files.samples import check_samples, open_samples
from ganvas.errors import OptionError
from ganvas.files.read import NotRegularError
from ganvas.functional.images import to_uint8
from ganvas.modality.drawing.files import to_image
from ganvas.modality.guess import modality_of
from ganvas.modality.image import Image as Images
from ganvas.modality.points import Points


def made(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(5)) * 2.2 - 1.1


def write(
    out: Path, x: Tensor, *, pieces: int, columns: int | None = None, label: Tensor | None = None
) -> bytes:
    with open_samples(
        Target(out, out.suffix, is_folder=False), len(x), modality_of(x.shape[1:]), columns=columns
    ) as file:
        for start in range(0, len(x), pieces):
            rows = slice(start, start + pieces)
            file.append(x[rows], None if label is None else label[rows])
        assert not out.exists(), "not yet whole"
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    return out.read_bytes()


@pytest.mark.parametrize("shape", [(11, 3, 4, 6), (11, 1, 4, 6), (1, 3, 2, 2), (11, 2)])
@pytest.mark.parametrize("pieces", [1, 4, 100])
@pytest.mark.parametrize("has_labels", [False, True])
def test_arrays_are_numpys_own_file(
    shape: tuple[int, ...], pieces: int, has_labels: bool, tmp_path: Path
) -> None:
    x = made(*shape)
    label = torch.arange(len(x)) * 7 if has_labels else None
    kind = modality_of(x.shape[1:])
    arrays = {kind.plural: to_uint8(x).permute(0, 2, 3, 1).numpy() if x.ndim == 4 else x.numpy()}
    arrays |= {} if label is None else {"labels": label.numpy()}
    whole = io.BytesIO()
    numpy.savez_compressed(whole, **arrays)
    assert write(tmp_path / "x.npz", x, pieces=pieces, label=label) == whole.getvalue()
    with numpy.load(tmp_path / "x.npz") as read:
        assert {name: value.dtype for name, value in read.items()} == {n: v.dtype for n, v in arrays.items()}


@pytest.mark.parametrize("shape", [(11, 3, 4, 6), (11, 1, 80, 70), (1, 3, 5, 5), (11, 4, 4, 4)])
@pytest.mark.parametrize("columns", [None, 1, 4, 50])
@pytest.mark.parametrize("pieces", [1, 3, 100])
def test_a_grid_in_rows_is_the_grid(
    shape: tuple[int, ...], columns: int | None, pieces: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = made(*shape)
    expected = to_image(draw(x, columns=columns))
    for most in (0, 2**40):  # row by row, at once
        monkeypatch.setattr(grid, "_WHOLE", most)
        content = write(tmp_path / "x.png", x, pieces=pieces, columns=columns)
        with Image.open(io.BytesIO(content)) as image:
            assert image.mode == expected.mode
            assert numpy.array_equal(numpy.asarray(image), numpy.asarray(expected))
        (tmp_path / "x.png").unlink()


def test_points_are_drawn_at_once(tmp_path: Path) -> None:
    x = made(300, 2)
    content = write(tmp_path / "x.png", x, pieces=7)
    with Image.open(io.BytesIO(content)) as image:
        assert numpy.array_equal(numpy.asarray(image), numpy.asarray(to_image(draw(x))))


@pytest.mark.parametrize("ending", [".png", ".webp", ".jpg", ".jpeg"])
@pytest.mark.parametrize("most", [0, 2**40])
def test_a_grid_is_scaled_exactly_in_every_format(
    ending: str, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid, "_WHOLE", most)
    x = made(5, 3, 4, 6)
    target = Target(tmp_path / f"x{ending}", ending, is_folder=False)
    with open_samples(target, 5, Images(), columns=3, scale=7) as file:
        file.append(x[:2], None)
        file.append(x[2:], None)
    with Image.open(target.path) as image:
        read = numpy.asarray(image.convert("RGB")).astype(int)
    assert read.shape == (2 * 30 + 2, 3 * 44 + 2, 3)
    levels = to_uint8(x).permute(0, 2, 3, 1).numpy().astype(int)
    for i in range(5):
        top, left = 2 + 30 * (i // 3), 2 + 44 * (i % 3)
        shown = read[top : top + 28, left : left + 42]
        error = numpy.abs(shown - levels[i].repeat(7, 0).repeat(7, 1))
        if ending in (".png", ".webp"):
            assert error.max() == 0
        else:
            assert 0 < error.mean() < 4  # of 255 levels, quality 95, noise


@pytest.mark.parametrize(
    ("name", "shape", "num", "options", "part"),
    [
        ("x.webp", (3, 64, 64), 400, {"columns": 400}, "a side in .webp at most 16,383"),
        ("x.webp", (3, 64, 64), 5_000, {}, "and .webp takes at most 20,000,000 at once"),
        ("x.jpg", (3, 64, 64), 1_000, {"columns": 1}, "and a side in .jpg at most 65,500"),
        ("x.jpg", (3, 64, 64), 50_000, {}, "and .jpg takes at most 67,108,864 at once"),
        ("x.png", (3, 64, 64), 4, {"scale": 1_000}, "makes 4,096,000,000 pixels, drawn at once"),
        ("x.png", (3, 64, 64), 99, {"columns": 20, "scale": 100}, "a row of the image has 128,042 x 6,404"),
        ("x.png", (5,), 4, {}, "can be drawn; --out F.npz writes any samples"),
        ("x.png", (2,), 4, {"scale": 2}, "is of images, and these samples have shape [2]; leave it out"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(
    name: str, shape: tuple[int, ...], num: int, options: dict[str, int], part: str
) -> None:
    target = Target(Path(name), Path(name).suffix, is_folder=False)
    with pytest.raises(OptionError) as raised:
        check_samples(target, torch.Size(shape), None, modality_of(shape), num=num, **options)
    assert part in str(raised.value)


def test_what_a_format_can_hold_is_not() -> None:
    for name, num in (("x.png", 50_000), ("x.webp", 64), ("x.jpg", 10_000), ("x.npz", 10**6)):
        target = Target(Path(name), Path(name).suffix, is_folder=False)
        check_samples(target, torch.Size((3, 64, 64)), None, Images(), num=num)
        check_samples(target, torch.Size((2,)), None, Points(), num=num)


@pytest.mark.parametrize("name", ["x.npz", "x.png"])
@pytest.mark.parametrize("most", [0, 2**40])
def test_an_interrupt_leaves_the_old_file(
    name: str, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid, "_WHOLE", most)
    (tmp_path / name).write_text("old")
    target = Target(tmp_path / name, Path(name).suffix, is_folder=False)
    with contextlib.suppress(KeyboardInterrupt), open_samples(target, 9, Images()) as file:
        file.append(made(7, 3, 4, 4), None)
        raise KeyboardInterrupt
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "old")]


@pytest.mark.parametrize("name", ["x.npz", "x.png", "x.webp"])
@pytest.mark.parametrize("most", [0, 2**40])
def test_nothing_is_left_of_a_file_that_cannot_be_ended(
    name: str, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid, "_WHOLE", most)
    target = Target(tmp_path / name, Path(name).suffix, is_folder=False)
    (tmp_path / name).mkdir()
    with pytest.raises(NotRegularError), open_samples(target, 9, Images()) as file:
        file.append(made(9, 3, 4, 4), None)
    assert [path.name for path in tmp_path.iterdir()] == [name]


_CHILD = """
import resource, sys
from pathlib import Path
import torch
from ganvas.cli.trained.files.options import Target
from ganvas.cli.trained.files.samples import open_samples
from ganvas.modality.image import Image as Images

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

x = torch.rand(100, 3, 64, 64).round() * 2 - 1
kind, ending = sys.argv[1:]
paths = Path("small" + ending), Path("large" + ending)
small, large = (Target(path, ending, is_folder=kind == "folder") for path in paths)
with open_samples(small, 100, Images()) as file:
    file.append(x, None)
before = peak()
with open_samples(large, 4_000, Images()) as file:
    for _ in range(40):
        file.append(x, None)
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "ending"), [("file", ".npz"), ("file", ".png"), ("folder", ".png"), ("folder", ".jpg")]
)
def test_the_memory_does_not_grow_with_the_number(kind: str, ending: str, tmp_path: Path) -> None:
    """4,000 images have 49 MB as bytes and 197 MB as float32."""
    command = [sys.executable, "-c", _CHILD, kind, ending]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=300)
    assert 0 <= float(done.stdout) < 30, "MiB"
