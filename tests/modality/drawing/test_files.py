"""Image files by their ending: read back, whole or not there."""

from __future__ import annotations

import io
from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image, features

from ganvas.errors import OptionError
from ganvas.modality.drawing.files import IMAGES, check_format, check_size, save_image


def image(channels: int) -> torch.Tensor:
    """Smooth, other in each direction and channel: uint8 [C, 24, 40]."""
    rows, columns = torch.arange(24)[:, None], torch.arange(40)
    return torch.stack([(rows * (c + 2) + columns * (4 - c)) % 256 for c in range(channels)]).to(torch.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("ending", IMAGES)
def test_an_image_is_read_back(channels: int, ending: str, tmp_path: Path) -> None:
    drawn = image(channels)
    save_image(tmp_path / "new" / f"x{ending}", drawn)
    with Image.open(tmp_path / "new" / f"x{ending}") as read:
        assert read.format == {".png": "PNG", ".webp": "WEBP"}.get(ending, "JPEG")
        shown = numpy.asarray(read.convert("RGB")).astype(int)
    expected = drawn.permute(1, 2, 0).numpy().astype(int)
    error = numpy.abs(shown - numpy.broadcast_to(expected, shown.shape))
    assert error.max() == 0 if ending in (".png", ".webp") else error.max() <= 6
    assert [path.name for path in (tmp_path / "new").iterdir()] == [f"x{ending}"]


def test_a_jpeg_has_quality_95(tmp_path: Path) -> None:
    save_image(tmp_path / "x.jpg", image(3))
    usual = io.BytesIO()
    Image.new("RGB", (8, 8)).save(usual, format="JPEG", quality=95)
    with Image.open(tmp_path / "x.jpg") as read, Image.open(usual) as expected:
        assert read.quantization == expected.quantization


def test_nothing_is_left_of_a_file_that_failed(tmp_path: Path) -> None:
    (tmp_path / "x.webp").write_text("old")
    with pytest.raises(ValueError, match=r"WebP|encoding"):
        save_image(tmp_path / "x.webp", torch.zeros(1, 1, 16_384, dtype=torch.uint8))
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("x.webp", "old")]


@pytest.mark.parametrize(("ending", "most"), [(".webp", 16_383), (".jpg", 65_500), (".jpeg", 65_500)])
def test_the_longest_side_can_be_written(ending: str, most: int, tmp_path: Path) -> None:
    check_size(ending, most, 1, option="--out", value="x")
    save_image(tmp_path / f"x{ending}", torch.zeros(1, 1, most, dtype=torch.uint8))
    with Image.open(tmp_path / f"x{ending}") as read:
        assert read.size == (most, 1)
    for size in ((most + 1, 1), (1, most + 1)):
        with pytest.raises(OptionError, match=rf"--out=x: .* a side in {ending} at most"):
            check_size(ending, *size, option="--out", value="x")


def test_a_pillow_without_webp_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    check_format(".webp", "--out", "x.webp")
    monkeypatch.setattr(features, "check", lambda name: False)
    check_format(".png", "--out", "x.png")
    with pytest.raises(OptionError, match=r"^--out=x\.webp: the Pillow that is installed writes no WebP; "):
        check_format(".webp", "--out", "x.webp")
