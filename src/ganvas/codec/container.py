"""The file .gvq: coded images, a header that says all about them, checksums over every byte.

    4 bytes   magic, 89 47 56 51
    number    version
    number    bytes of the header
    header    coder, model (16 bytes), layout, classes, channels, tile, pictures and their sizes, index
    4 bytes   CRC-32 of all before
    payloads  one after the other: blocks of codes, then residuals

A number is one of :mod:`ganvas.codec.varint`, a CRC of four bytes, the lowest first. In the index a block
has its images, the shift of its grid, the bytes of its stream, CRC-32 of the stream and of the decoded
codes. A residual has its images, the bytes of its stream, CRC-32 of the stream and of the decoded pixels.
An image is what one sequence of codes decodes to: a picture, or a tile of one (:mod:`ganvas.codec.tiles`).
A sound or a text is a picture of height 1, and so are the pieces that it is cut into.
A sound or a text is a picture of height 1, and so are the pieces that it is cut into.
Where a payload lies follows from the sizes of those before it, so that one can be read alone.
"""

from __future__ import annotations

import enum
import math
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganvas.codec import tiles, varint
from ganvas.codec.probabilities import NUM_SHIFTS
from ganvas.errors import OptionError, OutputError
from ganvas.files.read import NotRegularError, TooLargeError, read_bytes
from ganvas.files.write import write_bytes
from ganvas.functional.code_layout import CodeLayout

MAGIC = b"\x89GVQ"
VERSION = 1
MODEL_BYTES = 16  # of a model's sha256

MOST_BYTES = 1 << 32  # of a file
MOST_IMAGES = 1 << 16  # of a block
MOST_VALUES = 1 << 26  # codes of a block; pixels of one
MOST_CODES = 1 << 22  # of an image
MOST_SIDE = 1 << 16  # of an image
MOST_LENGTH = 1 << 40  # of a clip, which has height 1
_MOST_MAPS, _MOST_LEVELS, _MOST_VOCABULARY, _MOST_CLASSES = 64, 256, 1 << 20, 1 << 20
_MOST_CHANNELS = 1 << 10
_MOST_HEADER = 1 << 28
_CRC = 4


class Coder(enum.IntEnum):
    """What gives the codes' probabilities."""

    UNIFORM = 0
    COUNTS = 1
    PRIOR = 2


@dataclass(frozen=True)
class Block:
    """Images whose codes are one stream.

    Attributes:
        images: how many.
        payload: the stream of labels and codes.
        crc: CRC-32 of what it decodes to: labels, then codes, int64, the lowest byte first.
        shift: of the grid of logits.
    """

    images: int
    payload: bytes
    crc: int
    shift: int = 0


@dataclass(frozen=True)
class Residual:
    """Images whose difference from what the model decodes to is one stream.

    Attributes:
        images: how many.
        payload: the stream.
        crc: CRC-32 of the original pixels.
    """

    images: int
    payload: bytes
    crc: int


@dataclass(frozen=True)
class Container:
    """All that a file holds.

    Attributes:
        coder: what gives the codes' probabilities.
        model: 16 bytes of the sha256 of the model that wrote it.
        layout: of an image's codes.
        num_classes: 0 where images have no labels; else each has one in [0, num_classes].
        channels: of an image.
        sizes: height and width of each picture; of one for all where they are equal.
        blocks: of codes, in the images' order.
        residuals: in the images' order; none where the model's own pixels are what is wanted.
        tile: height and width of an image where pictures are cut into such; None: each picture is one.
    """

    coder: Coder
    model: bytes
    layout: CodeLayout
    num_classes: int
    channels: int
    sizes: Sequence[tuple[int, int]]
    blocks: Sequence[Block]
    residuals: Sequence[Residual] = ()
    tile: tuple[int, int] | None = None

    @property
    def images(self) -> int:
        """Of all blocks."""
        return sum(block.images for block in self.blocks)

    @property
    def pictures(self) -> int:
        """How many there are; as many as images, where they are not cut."""
        return (
            len(self.sizes) if len(self.sizes) > 1 else self.images // tiles.count(self.sizes[0], self.tile)
        )

    def check(self) -> None:
        """Raises ValueError where :func:`parse` would not read a file with this header."""
        _parse_header(varint.Reader(self._header()))

    def to_bytes(self) -> bytes:
        """The file's content."""
        header = self._header()
        head = MAGIC + varint.put(VERSION) + varint.put(len(header)) + header
        parts: list[Block | Residual] = [*self.blocks, *self.residuals]
        payloads = [part.payload for part in parts]
        return b"".join([head, _crc(head), *payloads])

    def _header(self) -> bytes:
        put = varint.put
        found = [put(self.coder), self.model, put(len(self.layout.sizes))]
        for sizes, at in zip(self.layout.sizes, self.layout.positions, strict=True):
            found += [put(len(sizes)), *map(put, sizes), put(len(at)), *map(put, at)]
        found += [put(self.num_classes), put(self.channels)]
        found += [*map(put, self.tile or (0, 0)), put(self.pictures)]
        are_equal = len(set(self.sizes)) == 1
        found.append(put(int(are_equal)))
        found += [put(side) for size in (self.sizes[:1] if are_equal else self.sizes) for side in size]
        found.append(put(len(self.blocks)))
        for block in self.blocks:
            found += [put(block.images), put(block.shift), *_index(block)]
        found.append(put(len(self.residuals)))
        for residual in self.residuals:
            found += [put(residual.images), *_index(residual)]
        return b"".join(found)


def parse(content: bytes) -> Container:
    """What a file holds; nothing large is allocated before all of it has been checked.

    Raises:
        ValueError: it is no such file, cut, longer than it says, changed, or of a newer version.
    """
    if not content:
        raise ValueError("is empty")
    if content[: len(MAGIC)] != MAGIC[: len(content)]:
        raise ValueError("is no file of codes: it begins with other bytes")
    reader = varint.Reader(content, min(len(MAGIC), len(content)))
    version = reader.number("version", 0, 1 << 62)
    if version != VERSION:
        raise ValueError(f"is of version {version}, this ganvas reads version {VERSION}")
    length = reader.number("header", 1, _MOST_HEADER)
    start = reader.at
    if reader.left < length + _CRC:
        raise ValueError("is cut: its header is not whole")
    if content[start + length : start + length + _CRC] != _crc(content[: start + length]):
        raise ValueError("has a header that was changed: its CRC is wrong")
    header = varint.Reader(content[start : start + length])
    about, blocks, residuals = _parse_header(header)
    if header.left:
        raise ValueError("has a header with bytes that mean nothing")
    reader.take(length + _CRC)
    needed = sum(entry.size for entry in (*blocks, *residuals))
    if reader.left != needed:
        what = "is cut" if reader.left < needed else "goes on after its end"
        raise ValueError(f"{what}: {needed:,} bytes of codes are said, {reader.left:,} are there")
    return Container(
        **about,
        blocks=[
            Block(one.images, one.read(reader, f"block {number}"), one.content_crc, one.shift)
            for number, one in enumerate(blocks)
        ],
        residuals=[
            Residual(one.images, one.read(reader, f"residual {number}"), one.content_crc)
            for number, one in enumerate(residuals)
        ],
    )


def read_container(path: str | os.PathLike[str], option: str = "FILE") -> Container:
    """Reads a file.

    Raises:
        OptionError: it is not there, cannot be read, or see :func:`parse`.
    """
    try:
        return parse(read_bytes(path, MOST_BYTES))
    except TooLargeError as error:
        raise OptionError(
            option, path, f"holds more than {MOST_BYTES >> 30} GiB; it is none of ours"
        ) from error
    except NotRegularError as error:
        raise OptionError(option, path, "is no regular file; name a file .gvq") from error
    except OSError as error:
        raise OptionError(option, path, f"cannot be read ({error.strerror}); name a file .gvq") from error
    except ValueError as error:
        raise OptionError(option, path, f"{error}; name a whole file that ganvas encode wrote") from error


def write_container(path: str | os.PathLike[str], container: Container, option: str = "--out") -> int:
    """Writes a file whole or not at all; returns its bytes.

    Raises:
        OutputError: it cannot be written.
    """
    content = container.to_bytes()
    try:
        write_bytes(Path(path), content)
    except OSError as error:
        raise OutputError(option, path, error) from error
    return len(content)


@dataclass(frozen=True)
class _Entry:
    """A block or a residual as the index says it."""

    images: int
    shift: int
    size: int
    crc: bytes
    content_crc: int

    def read(self, reader: varint.Reader, name: str) -> bytes:
        payload = reader.take(self.size)
        if _crc(payload) != self.crc:
            raise ValueError(f"was changed: the CRC of {name} is wrong")
        return payload


def _parse_header(header: varint.Reader) -> tuple[dict[str, Any], list[_Entry], list[_Entry]]:
    """Arguments of the container, and the index of its blocks and residuals."""
    number = header.number
    about: dict[str, Any] = {"coder": Coder(number("coder", 0, max(Coder)))}
    about |= {"model": header.take(MODEL_BYTES), "layout": _layout(header)}
    about["num_classes"] = number("number of classes", 0, _MOST_CLASSES)
    channels = about["channels"] = number("number of channels", 1, _MOST_CHANNELS)
    sides = number("tile's height", 0, MOST_SIDE), number("tile's width", 0, MOST_CODES)
    if (sides[0] == 0) != (sides[1] == 0):
        raise ValueError(f"has tiles of {sides[0]} x {sides[1]}")
    tile = about["tile"] = sides if sides[0] else None
    pictures = number("number of pictures", 1, 1 << 48)
    are_equal = number("flag of sizes", 0, 1)
    if not are_equal and pictures * 2 > header.left:
        raise ValueError(f"has too few sizes for {pictures:,} pictures")
    sizes = about["sizes"] = [_size(header, tile) for _ in range(1 if are_equal else pictures)]
    images = tiles.count_all(sizes, tile, pictures)
    height, width = tile or tuple(map(max, zip(*sizes, strict=True)))
    largest = channels * height * width
    count = number("number of blocks", 1, MOST_BYTES)
    blocks = _entries(header, count, MOST_VALUES // about["layout"].length, NUM_SHIFTS)
    count = number("number of residuals", 0, MOST_BYTES)
    residuals = _entries(header, count, MOST_VALUES // largest, 0)
    for entries in (blocks, residuals):
        if entries and sum(entry.images for entry in entries) != images:
            raise ValueError(f"has an index of other than {images:,} images")
    return about, blocks, residuals


def _size(header: varint.Reader, tile: tiles.Size | None) -> tiles.Size:
    """Height and width of a picture; a clip of pieces is as long as it likes."""
    height = header.number("height", 1, MOST_SIDE)
    return height, header.number("width", 1, MOST_LENGTH if tile and tile[0] == 1 else MOST_SIDE)


def _entries(header: varint.Reader, count: int, most: int, shifts: int) -> list[_Entry]:
    """Entries of the index, of at most so many images; without a shift where ``shifts`` is 0."""
    number = header.number
    if count * 10 > header.left:  # no entry is shorter
        raise ValueError("has an index that is cut")
    return [
        _Entry(
            number("block's number of images", 1, min(MOST_IMAGES, most)),
            number("shift", 0, shifts - 1) if shifts else 0,
            number("block's size", 0, MOST_BYTES),
            header.take(_CRC),
            int.from_bytes(header.take(_CRC), "little"),
        )
        for _ in range(count)
    ]


def _layout(header: varint.Reader) -> CodeLayout:
    number = header.number
    sizes, positions, length = [], [], 0
    for _ in range(number("number of maps", 1, _MOST_MAPS)):
        levels = number("number of levels", 1, _MOST_LEVELS)
        sizes.append(tuple(number("codebook", 2, _MOST_VOCABULARY) for _ in range(levels)))
        sides = number("number of sides", 0, 2)
        positions.append(tuple(number("side", 1, MOST_CODES) for _ in range(sides)))
        length += levels * math.prod(positions[-1])
        if length > MOST_CODES:
            raise ValueError(f"has more than {MOST_CODES:,} codes an image")
    return CodeLayout(tuple(sizes), tuple(positions))


def _index(part: Block | Residual) -> list[bytes]:
    return [varint.put(len(part.payload)), _crc(part.payload), _number(part.crc)]


def _crc(content: bytes) -> bytes:
    return _number(zlib.crc32(content))


def _number(crc: int) -> bytes:
    return crc.to_bytes(_CRC, "little")
