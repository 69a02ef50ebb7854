from __future__ import annotations

import struct
import sys
import types
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from ganvas.data.files.decode import Decoding, decode, why
from ganvas.data.files.formats import readable, remedy
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
    array = decode(tmp_path / "a.png", Decoding(channels=3, image_size=4))
    assert (array.shape, array.dtype) == ((3, 4, 4), np.uint8)
    assert np.abs(array.astype(int) - np.array(colour)[:, None, None]).max() <= 1
    grey = decode(tmp_path / "a.png", Decoding(channels=1, image_size=4))
    assert grey.shape == (1, 4, 4)
    luma = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
    assert np.abs(grey - luma).max() <= 1.5


@pytest.mark.parametrize("name", OTHERS)
def test_formats(tmp_path, name):
    image, options, colour = OTHERS[name]
    image.save(tmp_path / name, **options)
    array = decode(tmp_path / name, Decoding(channels=3, image_size=4))
    assert np.abs(array.astype(int) - np.array(colour)[:, None, None]).max() <= 3
    luma = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
    assert np.abs(decode(tmp_path / name, Decoding(channels=1, image_size=4)) - luma).max() <= 3


@pytest.mark.parametrize("level", [-1, 65536])
def test_levels_beyond_16_bits_are_refused(tmp_path, level):
    Image.new("I", (4, 4), level).save(tmp_path / "a.tiff")
    with pytest.raises(ValueError, match=f"levels from {level} to {level}, and 16 bits end at 65535"):
        decode(tmp_path / "a.tiff", Decoding(channels=1, image_size=4))
    for inside, byte in ((0, 0), (65535, 255)):
        Image.new("I", (4, 4), inside).save(tmp_path / "a.tiff")
        assert (decode(tmp_path / "a.tiff", Decoding(channels=1, image_size=4)) == byte).all()


def test_a_palette_with_a_transparent_entry(tmp_path):
    image = palette()
    image.paste(0, (0, 0, 6, 9))  # the left half
    image.putpalette([250, 250, 250, 10, 200, 60])
    image.save(tmp_path / "a.png", transparency=0)
    array = decode(tmp_path / "a.png", Decoding(channels=3, image_size=8))
    assert array[:, 4, 0].tolist() == [0, 0, 0]
    assert array[:, 4, 7].tolist() == [10, 200, 60]


@pytest.mark.parametrize("size", [(40, 20), (20, 60), (20, 20), (4, 8)])
def test_the_shorter_side_is_resized_and_the_centre_cropped(tmp_path, size):
    noise = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    image.save(tmp_path / "a.png")
    out = decode(tmp_path / "a.png", Decoding(channels=3, image_size=10))
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
    out = decode(tmp_path / "a.png", Decoding(channels=1, image_size=4))[0]
    assert (out[0] > 190).all()
    assert (out[3] < 10).all()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned right by a quarter: the top becomes the right side
    image.save(tmp_path / "b.jpg", exif=exif)
    turned = decode(tmp_path / "b.jpg", Decoding(channels=1, image_size=4))[0]
    assert (turned[:, 3] > 180).all()
    assert (turned[:, 0] < 20).all()


def test_resizing_is_antialiased(tmp_path):
    array = np.zeros((64, 64), dtype=np.uint8)
    array[:, ::2] = 200
    Image.fromarray(array).save(tmp_path / "a.png")
    out = decode(tmp_path / "a.png", Decoding(channels=1, image_size=8))[0, :, 1:-1]
    assert ((out > 90) & (out < 110)).all()


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "text"])
def test_a_damaged_file_is_refused(tmp_path, name, damage):
    path = tmp_path / name
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    content = path.read_bytes()
    path.write_bytes({"truncated": content[: len(content) // 2], "empty": b"", "text": b"hello"}[damage])
    words = {"truncated": "truncated", "empty": "is empty", "text": "no image of a kind that can be read"}
    with pytest.raises(Exception) as caught:  # noqa: PT011  # decoders raise almost anything
        decode(path, Decoding(channels=3, image_size=8))
    assert words[damage] in why(caught.value)


def test_the_limit_of_pixels_is_an_option(tmp_path):
    Image.new("L", (10, 10), 77).save(tmp_path / "a.png")
    for limit in (99, 10):
        with pytest.raises(ValueError, match=f"^100 pixels, above the limit of {limit}; see max_pixels"):
            decode(tmp_path / "a.png", Decoding(channels=1, image_size=4, max_pixels=limit))
    assert (decode(tmp_path / "a.png", Decoding(channels=1, image_size=4, max_pixels=100)) == 77).all()


def test_a_larger_limit_than_pillows(tmp_path, monkeypatch):
    """Pillow's is one of the process, and stands as it was afterwards."""
    Image.new("L", (10, 10), 77).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(Image.DecompressionBombError) as caught:
        decode(tmp_path / "a.png", Decoding(channels=1, image_size=4))
    assert why(caught.value).endswith("; see max_pixels")
    assert (decode(tmp_path / "a.png", Decoding(channels=1, image_size=4, max_pixels=10**8)) == 77).all()
    assert Image.MAX_IMAGE_PIXELS == 10


def test_floating_point_is_refused(tmp_path):
    Image.fromarray(np.ones((4, 4), dtype=np.float32)).save(tmp_path / "a.tiff")
    with pytest.raises(ValueError, match="floating-point"):
        decode(tmp_path / "a.tiff", Decoding(channels=1, image_size=4))


# ---- what is transparent ----


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(path: Path, *, bits: int, colour: int, row: bytes, key: bytes, before: bytes = b"") -> Path:
    """A PNG of four pixels in one row, of a depth that Pillow does not write."""
    header = struct.pack(">IIBBBBB", 4, 1, bits, colour, 0, 0, 0)
    parts = chunk(b"IHDR", header), before, chunk(b"tRNS", key), chunk(b"IDAT", zlib.compress(b"\0" + row))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b""))
    return path


WHITE = (255, 255, 255)
# Bits, colour type, the row, the transparent level; what is seen on white, grey or colour.
KEYS = {
    "1 bit": (1, 0, b"\xa0", [0], [255, 0, 255, 0], [255, 255, 255, 255]),
    "2 bits": (2, 0, b"\x1b", [1], [0, 85, 170, 255], [0, 255, 170, 255]),
    "4 bits": (4, 0, b"\x05\xf5", [5], [0, 85, 255, 85], [0, 255, 255, 255]),
    "8 bits": (8, 0, bytes([5, 0, 200, 5]), [5], [5, 0, 200, 5], [255, 0, 200, 255]),
    "16 bits": (
        16,
        0,
        struct.pack(">4H", 25700, 25701, 0, 65535),
        [25700],
        [100, 100, 0, 255],
        [255, 100, 0, 255],
    ),
    "48 bits": (
        16,
        2,
        struct.pack(">12H", *[300] * 3, *[9000] * 3, *[0] * 3, *[300] * 3),
        [300] * 3,
        [1, 35, 0, 1],
        [255, 35, 0, 255],
    ),
}


@pytest.mark.parametrize("case", KEYS)
def test_a_transparent_level_of_any_depth(tmp_path, case):
    bits, colour, row, key, on_itself, on_white = KEYS[case]
    path = png(tmp_path / "a.png", bits=bits, colour=colour, row=row, key=struct.pack(f">{len(key)}H", *key))
    for background, want in (("white", on_white), ("black", None)):
        how = Decoding(channels=1, image_size=4, background=background, crop="stretch")
        got = decode(path, how)[0, 0].tolist()
        black = [0 if seen == 255 and level != 255 else level for seen, level in zip(on_white, on_itself)]
        assert got == (black if want is None else want)


@pytest.mark.parametrize(
    ("background", "colour"),
    [
        ("black", (0, 0, 0)),
        ("white", WHITE),
        ("#0a14ff", (10, 20, 255)),
        ([1, 2, 3], (1, 2, 3)),
        ("Teal", (0, 128, 128)),
    ],
)
def test_the_background(tmp_path, background, colour):
    constant("RGBA", (200, 100, 50, 51)).save(tmp_path / "a.png")  # a fifth of it
    got = decode(tmp_path / "a.png", Decoding(channels=3, image_size=2, background=background))
    want = [0.2 * one + 0.8 * other for one, other in zip((200, 100, 50), colour)]
    assert np.abs(got - np.array(want)[:, None, None]).max() <= 1
    padded = decode(tmp_path / "a.png", Decoding(channels=3, image_size=8, background=background, crop="pad"))
    assert (padded[:, 0] == np.array(colour)[:, None]).all()


@pytest.mark.parametrize(
    ("background", "text"),
    [(808080, "#808080"), (80, "#000080"), (0, "#000000"), (10**6, "#rrggbb")],
)
def test_digits_without_their_sign_are_no_colour(background: int, text: str) -> None:
    with pytest.raises(OptionError) as raised:
        Decoding(channels=3, image_size=4, background=background)
    rule = f"is a number; a colour by its digits is '{text}' with these quotes, in a shell"
    assert str(raised.value) == f"background={background}: {rule} \"data.background='{text}'\""


@pytest.mark.parametrize("background", ["nothing", "#12", "", "#ff000080", [1, 2], [1, 2, 256], [-1, 0, 0]])
def test_what_is_no_background(background):
    with pytest.raises(OptionError, match=r"^background=.*must be black, white"):
        Decoding(channels=3, image_size=4, background=background)


# ---- what a file says of its pixels ----


def _with_text(path: Path, image: Image.Image, kind: str) -> None:
    info, text = PngInfo(), "x" * (1 << 21)
    if kind == "international":
        info.add_itxt("comment", text, zip=True)
    elif kind in ("text", "compressed"):
        info.add_text("comment", text, zip=kind == "compressed")
    profile = {"icc_profile": bytes(1 << 21)} if kind == "profile" else {}
    image.save(path, pnginfo=info, **profile)
    if kind in ("tEXt", "eXIf"):
        content = path.read_bytes()
        broken = chunk(kind.encode(), b"a\0b")
        path.write_bytes(content[:33] + broken[:-1] + bytes([broken[-1] ^ 1]) + content[33:])


@pytest.mark.parametrize("kind", ["text", "compressed", "international", "profile", "tEXt", "eXIf"])
def test_text_of_a_png_does_not_keep_its_pixels_from_being_read(tmp_path, kind):
    noise = np.random.default_rng(1).integers(0, 256, (8, 8, 4), dtype=np.uint8)
    _with_text(tmp_path / "a.png", Image.fromarray(noise), kind)
    Image.fromarray(noise).save(tmp_path / "plain.png")
    how = Decoding(channels=3, image_size=8)
    assert (decode(tmp_path / "a.png", how) == decode(tmp_path / "plain.png", how)).all()
    with (tmp_path / "a.png").open("rb") as file:
        assert (decode(file, how) == decode(tmp_path / "plain.png", how)).all()


def test_a_format_whose_library_pillow_lacks_is_no_image(monkeypatch):
    """Pillow lists it all the same, and answers every question with a text."""
    told = "image file could not be identified because WEBP support not installed"
    monkeypatch.setitem(Image.OPEN, "WEBP", (Image.OPEN["WEBP"][0], lambda beginning: told))
    there = readable.__wrapped__()
    assert (".webp" in there, ".png" in there) == (False, True)


def test_pixels_that_are_damaged_stay_damaged_whatever_the_text(tmp_path):
    _with_text(tmp_path / "a.png", Image.new("L", (64, 64)), "compressed")
    content = (tmp_path / "a.png").read_bytes()
    at = content.index(b"IDAT") + 8
    (tmp_path / "a.png").write_bytes(content[:at] + b"\0\0\0\0" + content[at + 4 :])
    with pytest.raises((OSError, SyntaxError)):
        decode(tmp_path / "a.png", Decoding(channels=1, image_size=8))


@pytest.mark.parametrize("exif", [b"Exif\0\0nonsense", b"Exif\0\0MM\0*\0\0\0\xff", b"Exif\0\0"])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_a_damaged_exif_turns_nothing(tmp_path, suffix, exif):
    image = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))
    image.save(tmp_path / f"plain{suffix}")
    image.save(tmp_path / f"a{suffix}", exif=exif)
    how = Decoding(channels=1, image_size=8)
    assert (decode(tmp_path / f"a{suffix}", how) == decode(tmp_path / f"plain{suffix}", how)).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation(tmp_path, orientation):
    """As Pillow's own turning, a transparent level and all."""
    noise = np.random.default_rng(2).integers(0, 256, (6, 10), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(noise).save(tmp_path / "a.png", exif=exif, transparency=int(noise[0, 0]))
    with Image.open(tmp_path / "a.png") as image:
        want = np.asarray(ImageOps.exif_transpose(image))
    side = decode(tmp_path / "a.png", Decoding(channels=1, image_size=10, crop="pad", background="white"))[0]
    height, width = want.shape
    top, left = (10 - height) // 2, (10 - width) // 2
    inside = side[top : top + height, left : left + width]
    assert (inside == np.where(want == noise[0, 0], 255, want)).all()


# ---- how it becomes a square ----


@pytest.mark.parametrize("size", [(40, 20), (20, 60), (20, 20), (4, 8), (30, 1)])
def test_padding_and_stretching(tmp_path, size):
    noise = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    image.save(tmp_path / "a.png")
    stretched = decode(tmp_path / "a.png", Decoding(channels=3, image_size=10, crop="stretch"))
    reference = np.asarray(image.resize((10, 10), Image.Resampling.BICUBIC)).transpose(2, 0, 1)
    assert (stretched == reference).all()
    width, height = (max(1, 10 * side // max(size)) for side in size)
    reference = np.full((10, 10, 3), (7, 8, 9), dtype=np.uint8)
    top, left = (10 - height) // 2, (10 - width) // 2
    inside = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
    reference[top : top + height, left : left + width] = inside
    how = Decoding(channels=3, image_size=10, crop="pad", background=[7, 8, 9])
    assert (decode(tmp_path / "a.png", how) == reference.transpose(2, 0, 1)).all()


# ---- which files are images ----


@pytest.mark.parametrize("suffix", [".jfif", ".jpe", ".tga", ".dib", ".pbm", ".apng", ".jp2"])
def test_less_usual_names(tmp_path, suffix):
    kind = {".jfif": "jpeg", ".jpe": "jpeg", ".apng": "png", ".jp2": "jpeg2000", ".pbm": "ppm"}.get(suffix)
    Image.new("1" if suffix == ".pbm" else "L", (8, 8), 255).save(tmp_path / f"a{suffix}", kind)
    assert suffix in readable()
    assert (decode(tmp_path / f"a{suffix}", Decoding(channels=1, image_size=4)) >= 254).all()


def test_avif_where_pillow_has_it(tmp_path):
    if ".avif" not in readable():
        assert "11.3" in remedy(".avif")
        return
    Image.new("L", (8, 8), 200).save(tmp_path / "a.avif")
    assert (
        np.abs(decode(tmp_path / "a.avif", Decoding(channels=1, image_size=4)).astype(int) - 200).max() <= 2
    )


def test_heic_by_its_plugin_alone(tmp_path, monkeypatch):
    """A stand-in for pillow-heif, whose files are PNGs."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    readable.cache_clear()
    try:
        assert ".heic" not in readable()
        assert remedy(".heic") == "pip install pillow-heif"
        plugin = types.ModuleType("pillow_heif")
        plugin.register_heif_opener = lambda: monkeypatch.setitem(Image.OPEN, "HEIF", Image.OPEN["PNG"])
        monkeypatch.setitem(sys.modules, "pillow_heif", plugin)
        readable.cache_clear()
        assert readable()[".heic"] == "HEIF"
    finally:
        readable.cache_clear()


def test_a_format_that_is_none_of_an_images_is_not_opened(tmp_path):
    """An EPS that is called .png would start Ghostscript."""
    Image.new("L", (8, 8)).save(tmp_path / "a.eps")
    (tmp_path / "a.eps").rename(tmp_path / "a.png")
    with pytest.raises(UnidentifiedImageError):
        decode(tmp_path / "a.png", Decoding(channels=1, image_size=4))
