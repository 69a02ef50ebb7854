"""What of a PNG makes its pixels, without what is only said about them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}  # PNG specification (third edition), section 4.7


def bare_png(content: bytes) -> bytes:
    """The file without comments, profiles and the like, whole or broken; the camera's Exif stays if sound.

    A reader that minds its metadata refuses a file for a comment that is long or was damaged.
    """
    parts = [SIGNATURE]
    for kind, chunk in _chunks(content):
        if kind in _PIXELS or (kind == b"eXIf" and _is_sound(chunk)):
            parts.append(chunk)
    return b"".join(parts)


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(kind, all its bytes) of every chunk; the last may be cut off."""
    at = len(SIGNATURE)
    while at + 8 <= len(content):
        length, kind = struct.unpack(">I4s", content[at : at + 8])
        yield kind, content[at : at + 12 + length]
        at += 12 + length


def _is_sound(chunk: bytes) -> bool:
    return zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")
