"""The members of a tar file and where their bytes lie, read from its headers alone; damage is an error.

Python's own ``tarfile`` takes a header that it cannot read in the middle of an archive for its end, and an
archive that was cut off between two members for a whole one. Either would train on a part of the data.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from typing import NamedTuple

_BLOCK = 512  # bytes; headers and contents begin at multiples of it
_MAX_NAME = 65536  # bytes of a long name or of a member's extended header
_MAX_DIGITS = 19  # of a decimal number; no file has more bytes
_MAX_PADDING = 1 << 20  # bytes of zeros that may follow the end mark; tar pads to 10,240


class Damaged(ValueError):
    """A tar file that cannot be trusted; the text says what and where."""


class Member(NamedTuple):
    """One regular file in a tar.

    Attributes:
        name: its path inside the archive.
        offset: where its content begins, in bytes.
        size: of its content, in bytes.
        mtime: its time of change as the header says it, in seconds.
    """

    name: str
    offset: int
    size: int
    mtime: float


class Header(NamedTuple):
    """What a header says; ``kind`` is one of tarfile's types."""

    name: str
    size: int
    mtime: float
    kind: bytes


def parse_header(block: bytes) -> Header:
    """A block of 512 bytes as POSIX ustar and GNU tar write it; four times as fast as ``tarfile``.

    Raises:
        ValueError: it is no header; the text says why.
    """
    try:
        stored = _number(block[148:156])
    except ValueError:
        raise ValueError("bad checksum") from None
    if stored != 256 + sum(block) - sum(block[148:156]):  # its own field counts as eight spaces
        raise ValueError("bad checksum")
    name = block[:100].partition(b"\0")[0]
    if block[257:263] == b"ustar\0" and (prefix := block[345:500].partition(b"\0")[0]):
        name = prefix + b"/" + name
    text = name.decode("utf-8", "surrogateescape")
    kind = block[156:157]
    if kind == tarfile.AREGTYPE and text.endswith("/"):  # a folder, before POSIX
        kind = tarfile.DIRTYPE
    return Header(text, _number(block[124:136]), _number(block[136:148]), kind)


def whole_number(text: bytes) -> int:
    """Decimal digits alone, as many as a file's size can have.

    Raises:
        ValueError: it is anything else.
    """
    if not text.isdigit() or len(text) > _MAX_DIGITS:
        raise ValueError(f"{text[:20]!r} is no whole number")
    return int(text)


def _number(field: bytes) -> int:
    """Octal digits, or GNU's binary form of what does not fit."""
    if field[0] == 0o200:
        return int.from_bytes(field[1:], "big")
    digits = field.partition(b"\0")[0].strip() or b"0"
    if not digits.isdigit():  # int would take a sign, underscores and 0o
        raise ValueError(f"{digits!r} is no number")
    return int(digits, 8)


def members(file: int, length: int) -> Iterator[Member]:
    """Walks over the headers of an open file; folders are passed over.

    Args:
        file: descriptor; its position is neither used nor moved.
        length: of the file, in bytes.

    Raises:
        Damaged: a header that is none, a member beyond the file's end, no end mark, a link or a device.
    """
    start = os.pread(file, 6, 0)
    compressed = start[:2] == b"\x1f\x8b" or start[:4] == b"\x28\xb5\x2f\xfd" or start[:3] == b"BZh"
    if compressed or start == b"\xfd7zXZ\x00":
        raise Damaged("is compressed, and then nothing in it can be found; unpack it to a plain .tar")
    at, extended = 0, dict[str, str]()
    while True:
        block = os.pread(file, _BLOCK, at)
        if len(block) < _BLOCK:
            raise Damaged(f"ends at byte {length} without tar's end mark; it is cut off, fetch it again")
        if not any(block):
            _require_end(file, at, length)
            return
        try:
            header = parse_header(block)
            content, size = at + _BLOCK, header.size
            if "size" in extended:
                size = whole_number(extended["size"].encode("utf-8", "surrogateescape"))
        except ValueError as error:
            raise Damaged(
                f"has no tar header at byte {at} ({error}); it is damaged, fetch it again"
            ) from error
        at = content + -(-size // _BLOCK) * _BLOCK
        if size < 0 or content + size > length:
            raise Damaged(f"ends at byte {length} inside of {header.name}; it is cut off, fetch it again")
        if header.kind in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE):
            extended |= _extended(file, header, content)
            continue
        if header.kind in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE):
            yield Member(extended.get("path", header.name), content, size, header.mtime)
        elif header.kind not in (tarfile.DIRTYPE, tarfile.XGLTYPE):
            raise Damaged(f"holds {header.name}, which is no file (a link or a device); pack the file itself")
        extended = {}


def _extended(file: int, header: Header, content: int) -> dict[str, str]:
    """What a GNU long name or a pax header says of the member behind it."""
    if header.size > _MAX_NAME:
        raise Damaged(f"has a header of {header.size} bytes at byte {content}; it is damaged, fetch it again")
    text = os.pread(file, header.size, content)
    if header.kind == tarfile.GNUTYPE_LONGNAME:
        return {"path": text.rstrip(b"\0").decode("utf-8", "surrogateescape")}
    found = {}
    while text:  # records of the form "<length> <key>=<value>\n", the length is that of the whole
        digits, _, _ = text.partition(b" ")
        try:
            count = whole_number(digits)
        except ValueError:
            count = 0
        key, equals, value = text[len(digits) + 1 : count - 1].partition(b"=")
        if count <= len(digits) or not equals:
            raise Damaged(f"has a broken extended header at byte {content}; it is damaged, fetch it again")
        found[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        text = text[count:]
    if any(key.startswith("GNU.sparse") for key in found):
        raise Damaged("holds a sparse file; pack it without holes (tar without --sparse)")
    return found


def _require_end(file: int, at: int, length: int) -> None:
    """Nothing but zeros may follow a block of zeros: else it stands where a header was."""
    rest = length - at
    if rest > _MAX_PADDING or any(os.pread(file, rest, at)):
        raise Damaged(f"goes on behind an end mark at byte {at}; it is damaged, or two archives in one file")
