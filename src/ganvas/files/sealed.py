"""Caches that show whether they are what was written: a line of JSON with a hash, and bytes behind it."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ganvas.files.plain import parse_json

BLOCK = 1 << 22  # bytes of a file that have a checksum of their own
_MAX_LINE = 1 << 26  # bytes of the first line
_MAX_THREADS = 8


def seal(about: dict[str, Any], body: bytes = b"") -> bytes:
    """The content of a sealed file.

    Args:
        about: plain values without half surrogate pairs, as :func:`ganvas.files.plain.parse_json` takes them.
        body: any bytes.
    """
    return _line(about, body) + body


def unseal(content: bytes) -> tuple[dict[str, Any], bytes]:
    """What was sealed.

    Raises:
        ValueError: it is no sealed file, or not a bit of it may be believed: its hash is wrong.
    """
    end = content.find(b"\n", 0, _MAX_LINE)
    if end < 0:
        raise ValueError("has no first line that says what it holds")
    head, body = parse_json(content[:end]), content[end + 1 :]
    about = head.get("about") if isinstance(head, dict) else None
    if not isinstance(about, dict) or "sha256" not in head:
        raise ValueError("holds no checksum")
    if content[: end + 1] != _line(about, body):
        raise ValueError("has a wrong sha256")
    return about, body


def checksums_of(handle: int, size: int) -> list[int]:
    """CRC-32 of each :data:`BLOCK` bytes of an open file, read in threads; its position stays.

    A CRC finds every turned bit and every torn block. It is no seal against people: who can write a cache can
    write its checksums. It costs a third to a fifth of a sha256.

    Args:
        size: of the file, bytes.

    Raises:
        OSError: it cannot be read, or is shorter.
    """

    def of(start: int) -> int:
        wanted = min(BLOCK, size - start)
        block = os.pread(handle, wanted, start)
        if len(block) != wanted:
            raise OSError(f"ends before byte {size}")
        return zlib.crc32(block)

    starts: Sequence[int] = range(0, size, BLOCK)
    if len(starts) < 2:
        return [of(start) for start in starts]
    with ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1)) as pool:  # zlib lets other threads run
        return list(pool.map(of, starts))


def _line(about: dict[str, Any], body: bytes) -> bytes:
    """The first line of a sealed file, its end included."""
    text = json.dumps(about, sort_keys=True)
    digest = hashlib.sha256(text.encode() + b"\n")
    digest.update(body)
    return f'{{"sha256": "{digest.hexdigest()}", "about": {text}}}\n'.encode()
