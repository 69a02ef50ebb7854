from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from ganvas.data.files.decode import decode
from ganvas.errors import OptionError


def constant(mode: str, colour) -> Image.Image:
    return Image.new(mode, (12, 9), colour)


def palette() -> Image.Image:
    image = Image.new("P", (12, 9), 1)
    image.putpalette([0, 0, 0, 10, 200, 60])
    return image


SIXTEEN = Image.fromarray(np.full((9, 12), 100 * 257 + 40, dtype=np.uint16))

CASES = {
    "grey": (constant("L", 77), [77, 77, 77]),
    "two levels": (constant("1", 1), [255, 255, 255]),
    "colour": (constant("RGB", (10, 200, 60)), [10, 200, 60]),
    "opaque": (constant("RGBA", (10, 200, 60, 255)), [10, 200, 60]),
    "half transparent on black": (constant("RGBA", (10, 200, 60, 128)), [5, 100, 30]),
    "transparent is black": (constant("RGBA", (10, 200, 60, 0)), [0, 0, 0]),
    "grey with alpha": (constant("LA", (200, 128)), [100, 100, 100]),
    "palette": (palette(), [10, 200, 60]),
    "16 bit": (SIXTEEN, [100, 100, 100]),
}
FRAMES = [constant("L", level) for level in (77, 200)]
OTHERS = {
    "print.jpg": (constant("CMYK", (0, 128, 255, 51)), {}, [204, 102, 0]),
    "animated.gif": (FRAMES[0], {"save_all": True, "append_images": FRAMES[1:]}, [77, 77, 77]),
    "animated.png": (FRAMES[0], {"save_all": True, "append_images": FRAMES[1:]}, [77, 77, 77]),
    "pages.tiff": (FRAMES[0], {"save_all": True, "append_images": FRAMES[1:]}, [77, 77, 77]),
    "16 bit.tiff": (SIXTEEN, {}, [100, 100, 100]),
    "lossless.webp": (constant("RGBA", (10, 200, 60, 255)), {"lossless": True}, [10, 200, 60]),
}


@pytest.mark.parametrize("case", CASES)
def test_modes(tmp_path, case):
    image, colour = CASES[case]
    image.save(tmp_path / "a.png")
    array = decode(tmp_path / "a.png", channels=3, image_size=4)
    assert (array.shape, array.dtype) == ((3, 4, 4), np.uint8)
    assert np.abs(array.astype(int) - np.array(colour)[:, None, None]).max() <= 1
    grey = decode(tmp_path / "a.png", channels=1, image_size=4)
    assert grey.shape == (1, 4, 4)
    luma = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
    assert np.abs(grey - luma).max() <= 1.5


@pytest.mark.parametrize("name", OTHERS)
def test_formats(tmp_path, name):
    image, options, colour = OTHERS[name]
    image.save(tmp_path / name, **options)
    array = decode(tmp_path / name, channels=3, image_size=4)
    assert np.abs(array.astype(int) - np.array(colour)[:, None, None]).max() <= 3
    luma = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
    assert np.abs(decode(tmp_path / name, channels=1, image_size=4) - luma).max() <= 3


@pytest.mark.parametrize("level", [-1, 65536])
def test_levels_beyond_16_bits_are_refused(tmp_path, level):
    Image.new("I", (4, 4), level).save(tmp_path / "a.tiff")
    with pytest.raises(OptionError, match=f"levels from {level} to {level}, and 16 bits end at 65535"):
        decode(tmp_path / "a.tiff", channels=1, image_size=4)
    for inside, byte in ((0, 0), (65535, 255)):
        Image.new("I", (4, 4), inside).save(tmp_path / "a.tiff")
        assert (decode(tmp_path / "a.tiff", channels=1, image_size=4) == byte).all()


def test_a_palette_with_a_transparent_entry(tmp_path):
    image = palette()
    image.paste(0, (0, 0, 6, 9))  # the left half
    image.putpalette([250, 250, 250, 10, 200, 60])
    image.save(tmp_path / "a.png", transparency=0)
    array = decode(tmp_path / "a.png", channels=3, image_size=8)
    assert array[:, 4, 0].tolist() == [0, 0, 0]
    assert array[:, 4, 7].tolist() == [10, 200, 60]


@pytest.mark.parametrize("size", [(40, 20), (20, 60), (20, 20), (4, 8)])
def test_the_shorter_side_is_resized_and_the_centre_cropped(tmp_path, size):
    noise = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    image.save(tmp_path / "a.png")
    out = decode(tmp_path / "a.png", channels=3, image_size=10)
    scaled = (10 * size[0] // min(size), 10 * size[1] // min(size))
    left, top = (scaled[0] - 10) // 2, (scaled[1] - 10) // 2
    reference = image.resize(scaled, Image.Resampling.BICUBIC).crop((left, top, left + 10, top + 10))
    difference = np.asarray(reference, dtype=int).transpose(2, 0, 1) - out
    assert np.abs(difference).max() <= 1


def test_orientation_is_kept_and_the_cameras_is_applied(tmp_path):
    array = np.zeros((20, 20), dtype=np.uint8)
    array[:10] = 200  # the top
    image = Image.fromarray(array)
    image.save(tmp_path / "a.png")
    out = decode(tmp_path / "a.png", channels=1, image_size=4)[0]
    assert (out[0] > 190).all()
    assert (out[3] < 10).all()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned right by a quarter: the top becomes the right side
    image.save(tmp_path / "b.jpg", exif=exif)
    turned = decode(tmp_path / "b.jpg", channels=1, image_size=4)[0]
    assert (turned[:, 3] > 180).all()
    assert (turned[:, 0] < 20).all()


def test_resizing_is_antialiased(tmp_path):
    array = np.zeros((64, 64), dtype=np.uint8)
    array[:, ::2] = 200
    Image.fromarray(array).save(tmp_path / "a.png")
    out = decode(tmp_path / "a.png", channels=1, image_size=8)[0, :, 1:-1]
    assert ((out > 90) & (out < 110)).all()


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "text"])
def test_a_damaged_file_is_named(tmp_path, name, damage):
    path = tmp_path / name
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    content = path.read_bytes()
    path.write_bytes({"truncated": content[: len(content) // 2], "empty": b"", "text": b"hello"}[damage])
    with pytest.raises(OptionError, match="cannot be read as an image") as caught:
        decode(path, channels=3, image_size=8)
    assert (caught.value.option, caught.value.value) == ("root", str(path))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("limit", [99, 10])  # Pillow only warns up to twice its limit
def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch, limit):
    Image.new("L", (10, 10)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(OptionError, match=r"a\.png.*100 pixels"):
        decode(tmp_path / "a.png", channels=1, image_size=4)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    decode(tmp_path / "a.png", channels=1, image_size=4)


def test_floating_point_is_refused(tmp_path):
    Image.fromarray(np.ones((4, 4), dtype=np.float32)).save(tmp_path / "a.tiff")
    with pytest.raises(OptionError, match="floating-point"):
        decode(tmp_path / "a.tiff", channels=1, image_size=4)
