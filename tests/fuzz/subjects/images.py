"""Images of a user's own: PNG, JPEG, WebP, GIF, BMP, TIFF, PPM and TGA, their folder, the cache of them."""

from __future__ import annotations

import io
import random
import struct
import zlib
from pathlib import Path

import numpy as np
from data_sets import expecting, image_folder, reading
from mutate import place, raw
from mutate.arrays import other_array
from mutate.files import damage_bytes, damage_json
from mutate.sealed import is_sealed, resealed
from PIL import Image
from subject import Reader, Subject
from world import FORMATS, World

_CACHE = ("image_cache/*", "image_cache")
_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F")


def _lay_image(world: World, folder: Path, draws: random.Random) -> Reader:
    """One class of images, some of them damaged."""
    world.copy("images/cats", folder / "images")
    for _ in range(draws.choice((1, 1, 2, 3))):
        path = folder / "images" / f"{draws.randrange(2)}.{draws.choice(FORMATS)}"
        _damage_image(path, draws)
    options = {
        "on_damaged": draws.choice(("stop", "skip")),
        "channels": draws.choice((1, 3)),
        "crop": draws.choice(("center", "pad", "stretch")),
    }
    return Reader(writes=_CACHE, call=reading(lambda: image_folder("images", **options)))


def _damage_image(path: Path, draws: random.Random) -> None:
    chance = draws.random()
    if chance < 0.05:
        place.replaced(path, draws)
    elif chance < 0.25 and path.is_file():
        path.write_bytes(_png(draws))
    elif chance < 0.35:
        path.write_bytes(_other(draws))
    elif path.is_file():
        path.write_bytes(raw.damaged(path.read_bytes(), draws))


def _png(draws: random.Random) -> bytes:
    """A PNG whose checksums are right, whatever its chunks say."""
    width, height = (draws.choice((0, 1, 8, 10, 70_000, 2**31 - 1, 2**32 - 1)) for _ in range(2))
    depth, colour = draws.choice((0, 1, 2, 4, 8, 16, 255)), draws.choice((0, 2, 3, 4, 6, 7))
    header = struct.pack(
        ">IIBBBBB", width, height, depth, colour, draws.choice((0, 1)), 0, draws.choice((0, 1, 9))
    )
    pixels = zlib.compress(bytes(draws.choice((0, 10, 1000, 5_000_000))))
    extra = [
        (b"PLTE", draws.randbytes(draws.choice((0, 2, 3, 768, 2000)))),
        (b"tRNS", draws.randbytes(draws.choice((0, 1, 6, 300)))),
        (b"iCCP", b"x\0\0" + zlib.compress(bytes(draws.choice((0, 10, 3_000_000))))),
        (b"zTXt", b"x\0\0" + zlib.compress(bytes(10_000_000))),
        (b"eXIf", draws.randbytes(40)),
        (b"gAMA", draws.randbytes(draws.choice((0, 4, 5)))),
        (b"IDAT", pixels[: draws.randrange(len(pixels) + 1)]),
        (b"acTL", struct.pack(">II", draws.choice((0, 1, 2**31)), 0)),
        (b"abcd", b""),
    ]
    chunks = [(b"IHDR", header), *draws.sample(extra, draws.randrange(4)), (b"IDAT", pixels), (b"IEND", b"")]
    if draws.random() < 0.2:
        draws.shuffle(chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def _other(draws: random.Random) -> bytes:
    """Sound, of another mode, size or format than its name says; or of a format that nobody promised."""
    if draws.random() < 0.3:
        return draws.choice(
            (
                b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n",
                b"#define x_width 4\n#define x_height 4\nstatic char x_bits[] = {0,0,0,0};\n",
                b"SIMPLE  =                    T" + b" " * 2850,
                b"\x00\x00\x01\x00\x01\x00\x10\x10" + bytes(30),
                b"8BPS\x00\x01" + bytes(60),
                b"%PDF-1.4\n",
            )
        )
    mode = draws.choice(_MODES)
    size = (draws.choice((1, 3, 200)), draws.choice((1, 9, 300)))
    file = io.BytesIO()
    try:
        Image.new(mode, size).save(file, draws.choice(("PNG", "TIFF", "GIF", "JPEG", "WEBP")))
    except (OSError, KeyError, ValueError):
        return b""
    return file.getvalue()


def _lay_cache(world: World, folder: Path, draws: random.Random) -> Reader:
    """Sound images beside a damaged cache of them."""
    world.copy("images", folder / "images")
    world.copy("image_cache", folder / "image_cache")
    (array,) = (folder / "image_cache").glob("*.npy")
    (about,) = (folder / "image_cache").glob("*.json")
    chance = draws.random()
    if is_sealed(about) and chance < 0.3:
        resealed(about, draws)  # who writes a right hash may name other images, and breaks nothing
        return Reader(writes=_CACHE, call=reading(lambda: image_folder("images")))
    if chance < 0.3:
        damage_json(about, draws)
    elif chance < 0.5:
        np.save(array, other_array(np.load(array), draws))
    elif chance < 0.55:
        place.replaced(folder / "image_cache", draws)
    else:
        damage_bytes(draws.choice((array, array, about)), draws)
    # A cache that is no folder is the user's to mend: the option that names it is refused.
    return Reader(writes=_CACHE, call=expecting(lambda: image_folder("images"), world.sound["images"]))


SUBJECTS = [
    Subject("image", "images of a folder, of eight formats", _lay_image),
    Subject("image_cache", "the cache of decoded images (.npy and .json)", _lay_cache),
]
