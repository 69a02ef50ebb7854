from __future__ import annotations

import io
import itertools

import numpy
import pytest
import torch
from PIL import Image, features
from torch.nn.functional import interpolate

from ganvas.data.digits import Digits
from ganvas.metric.rate_distortion.image_codecs import CODECS, cut_apart, is_writable, measure, sheets


def noise(count: int, channels: int, height: int, width: int) -> torch.Tensor:
    draws = torch.Generator().manual_seed(1)
    shape = (count, channels, height, width)
    return torch.randint(256, shape, generator=draws, dtype=torch.uint8)


@pytest.mark.parametrize(("count", "channels"), [(1, 1), (7, 3), (12, 1), (25, 3)])
def test_a_sheet_holds_all_images_once_in_their_order(count: int, channels: int) -> None:
    images = noise(count, channels, 3, 5)
    ((part, sheet),) = sheets(images)
    assert torch.equal(part, images)
    columns = sheet.shape[2] // 5
    assert (columns - 1) ** 2 < count <= columns**2
    assert sheet.shape == (channels, 3 * -(-count // columns), 5 * columns)
    for i, image in enumerate(images):
        top, left = 3 * (i // columns), 5 * (i % columns)
        assert torch.equal(sheet[:, top : top + 3, left : left + 5], image)
    beyond = sheet[:, -3:, 5 * (count - columns * ((count - 1) // columns)) :]
    assert (beyond == 128).all()
    assert torch.equal(cut_apart(sheet, count, 3, 5), images)


def test_many_images_go_to_several_sheets_none_beyond_the_side() -> None:
    images = noise(23, 1, 3, 5)
    found = list(sheets(images, most_side=13))  # 4 rows of 2
    assert [len(part) for part, _ in found] == [8, 8, 7]
    assert all(max(sheet.shape[1:]) <= 13 for _, sheet in found)
    assert torch.equal(torch.cat([cut_apart(sheet, len(part), 3, 5) for part, sheet in found]), images)


@pytest.mark.parametrize("channels", [1, 3])
def test_bits_are_8_for_each_byte_of_the_file_and_psnr_is_pooled(channels: int) -> None:
    images = noise(9, channels, 8, 6)
    how = {"format": "JPEG", "quality": 30}
    ((_, sheet),) = sheets(images)
    pixels = sheet.movedim(0, -1).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(file, **how)
    with Image.open(file) as image:
        decoded = numpy.array(image).reshape(pixels.shape)
    squared = (decoded.astype(float) - pixels) ** 2
    point = measure(images, how, "quality 30")
    assert point.setting == "quality 30"
    assert point.bits == 8 * len(file.getvalue()) / 9
    assert point.psnr == pytest.approx(-10 * numpy.log10(squared.mean() / 255**2), rel=1e-12)


def test_without_loss_there_is_no_error() -> None:
    assert measure(noise(5, 3, 8, 8), {"format": "PNG"}).psnr == float("inf")


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_settings_go_from_few_bits_to_many(codec) -> None:
    if not is_writable(codec):
        pytest.skip(f"this Pillow does not write {codec.name}")
    data = Digits(batch_size=64, channels=1, image_size=8, num_classes=10)
    large = interpolate(data.split("test").x[:100].float(), 28, mode="bicubic")
    grain = torch.randn(large.shape, generator=torch.Generator().manual_seed(1)) * 8
    images = (large + grain).clamp(0, 255).to(torch.uint8)
    points = [measure(images, how, name) for name, how in codec.settings.items()]
    for before, after in itertools.pairwise(points):
        assert before.bits < after.bits
        assert before.psnr < after.psnr
    alone = measure(images[:1], next(iter(codec.settings.values())))
    assert 10 < points[0].bits < alone.bits / 2  # a header for each image


def test_a_format_that_this_pillow_lacks_is_not_writable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "check", lambda feature: feature != "avif")
    assert [codec.name for codec in CODECS if not is_writable(codec)] == ["AVIF"]
    monkeypatch.undo()
    unknown = CODECS[0]._replace(feature="nosuch")
    assert not is_writable(unknown)  # a Pillow of before the format; it warns, and that is no error here
