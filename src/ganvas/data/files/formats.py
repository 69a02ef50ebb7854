"""Which image files can be read: by Pillow as it is installed, and by its plugins where they are."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping

from PIL import Image

from ganvas.data.files.tree import FileKind

# Pillow's name of the format, by the file's suffix. TGA has no magic number and is tried last.
_FORMATS = {
    **dict.fromkeys((".png", ".apng"), "PNG"),
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG"),
    ".bmp": "BMP",
    ".dib": "DIB",
    ".gif": "GIF",
    ".webp": "WEBP",
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    **dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm"), "PPM"),
    **dict.fromkeys((".jp2", ".j2k"), "JPEG2000"),
    ".avif": "AVIF",
    **dict.fromkeys((".heic", ".heif"), "HEIF"),
    ".tga": "TGA",
}
_PLUGINS = {"AVIF": ("pillow_avif", None), "HEIF": ("pillow_heif", "register_heif_opener")}
_REMEDY = {"AVIF": "Pillow 11.3 or newer", "HEIF": "pip install pillow-heif", "WEBP": "a Pillow with WebP"}
_BEGINNINGS = {"AVIF": b"\0\0\0\x1cftypavif", "WEBP": b"RIFF\0\0\0\0WEBPVP8 "}

KNOWN = frozenset(_FORMATS)  # suffixes of images, readable here or not


@functools.cache
def readable() -> Mapping[str, str]:
    """Suffix -> Pillow's name of the format, of what can be read on this machine."""
    Image.init()
    for name, (module, register) in _PLUGINS.items():
        if not _opens(name):
            try:
                plugin = importlib.import_module(module)
            except ImportError:
                continue
            if register is not None:
                getattr(plugin, register)()
    return {suffix: name for suffix, name in _FORMATS.items() if _opens(name)}


def remedy(suffix: str) -> str | None:
    """What makes images of this suffix readable; None for what is no image."""
    name = _FORMATS.get(suffix)
    return None if name is None else _REMEDY.get(name, f"a Pillow that reads {name}")


def formats() -> tuple[str, ...]:
    """What ``Image.open`` may try. Without this list it tries all it has: EPS starts Ghostscript."""
    return tuple(dict.fromkeys(readable().values()))


def _opens(name: str) -> bool:
    """Whether the format is there; Pillow lists it also where the library is not, and accepts by a text."""
    if name not in Image.OPEN:
        return False
    accept: Callable[[bytes], bool | str] | None = Image.OPEN[name][1]
    beginning = _BEGINNINGS.get(name)
    return accept is None or beginning is None or not isinstance(accept(beginning), str)


IMAGES = FileKind("an image", "images", lambda: readable(), remedy)
