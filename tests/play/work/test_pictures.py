"""Uploads as a model takes them, and where an image is off another."""

from __future__ import annotations

import io

import pytest
import torch
from PIL import Image

from ganvas.errors import OptionError
from ganvas.play.work.pictures import MAX_UPLOAD, error_map, heat, read_upload


def as_png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_an_upload_is_cut_to_the_square_of_the_model() -> None:
    image = Image.new("RGB", (40, 20), (255, 0, 0))
    image.paste((0, 0, 255), (0, 0, 6, 20))  # cut away: the middle square begins at column 10
    x = read_upload("a.png", as_png(image), channels=3, image_size=10)
    assert x.shape == (3, 10, 10)
    assert torch.equal(x, torch.tensor([1.0, -1.0, -1.0]).view(3, 1, 1).expand(3, 10, 10))
    grey = read_upload("a.png", as_png(Image.new("L", (7, 9), 51)), channels=1, image_size=8)
    assert torch.allclose(grey, torch.full((1, 8, 8), 51 / 127.5 - 1))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"<svg onload=alert(1)>", "no image"),
        (b"", "empty"),
        (as_png(Image.new("1", (10_000, 10_000))), "100000000 pixels"),
        (bytes(MAX_UPLOAD + 1), "of at most"),
        (as_png(Image.new("RGB", (64, 64)))[:-30], "cannot be read"),
    ],
)
def test_what_is_no_image_or_too_large_is_one_line(content: bytes, why: str) -> None:
    with pytest.raises(OptionError, match=why) as error:
        read_upload("<b>x", content, channels=3, image_size=32)
    assert error.value.option == "upload"
    assert "\n" not in str(error.value)


def test_the_error_map_is_lightest_where_the_error_is_largest() -> None:
    original = torch.zeros(3, 2, 2)
    other = original.clone()
    other[1, 0, 1] = 0.5  # one channel is off by a quarter of the range
    other[2, 1, 0] = -0.25
    picture, largest = error_map(original, other)
    assert largest == pytest.approx(0.25)
    assert torch.equal(picture[:, 0, 1], heat(torch.ones(1, 1))[:, 0, 0])
    assert torch.equal(picture[:, 1, 0], heat(torch.full((1, 1), 0.5))[:, 0, 0])
    assert torch.equal(picture[:, 0, 0], torch.zeros(3, dtype=torch.uint8))
    none, largest = error_map(original + 3, original + 2)  # both are white
    assert largest == 0
    assert not none.any()


def test_more_error_is_lighter() -> None:
    grey = torch.tensor([0.299, 0.587, 0.114]) @ heat(torch.linspace(0, 1, 50)[None]).float()[:, 0]
    assert (grey.diff() >= 0).all()
    assert grey[-1] > 240
