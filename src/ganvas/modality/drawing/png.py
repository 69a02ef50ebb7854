"""A PNG file written row by row, for images that are larger than the memory."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from types import TracebackType

import numpy as np
from torch import Tensor

from ganvas.files.write import WholeFile

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SUB = 1  # the filter of every row: each byte less the one a pixel to the left (PNG, section 9.2)
_COLOUR_TYPE = {1: 0, 3: 2}  # by channels: grey, RGB


class PngRows:
    """Takes the rows of an image from the top; the file gets its name when it is whole.

    Args:
        path: the file.
        width: of the image, pixels.
        height: likewise.
        channels: 1 (grey) or 3 (RGB).
    """

    def __init__(self, path: Path, *, width: int, height: int, channels: int) -> None:
        self.path, self.width, self.height, self.channels = path, width, height, channels
        self._whole = WholeFile(path)
        self._file = self._whole.file
        self._packer = zlib.compressobj()
        self._rows = 0
        self._file.write(_SIGNATURE)
        self._chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPE[channels], 0, 0, 0))

    def append(self, rows: Tensor) -> None:
        """Rows uint8 [C, h, W], below those that are there."""
        count = rows.shape[1]
        assert (rows.shape[0], rows.shape[2]) == (self.channels, self.width)
        raw = rows.permute(1, 2, 0).reshape(count, -1).numpy()  # [h, W C]
        packed = np.empty((count, 1 + raw.shape[1]), dtype=np.uint8)
        packed[:, 0] = _SUB
        packed[:, 1 : 1 + self.channels] = raw[:, : self.channels]
        packed[:, 1 + self.channels :] = raw[:, self.channels :] - raw[:, : -self.channels]
        self._rows += count
        self._chunk(b"IDAT", self._packer.compress(packed.tobytes()))

    def close(self) -> None:
        """Ends the file; all its rows must be there."""
        assert self._rows == self.height, (self._rows, self.height)
        self._chunk(b"IDAT", self._packer.flush())
        self._file.write(_chunk(b"IEND", b""))
        self._whole.commit()

    def __enter__(self) -> PngRows:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self.close()
        finally:
            self._whole.abandon()  # unless it has its name

    def _chunk(self, name: bytes, content: bytes) -> None:
        if content:
            self._file.write(_chunk(name, content))


def _chunk(name: bytes, content: bytes) -> bytes:
    """Length, name, content and checksum (PNG, section 5.3)."""
    checksum = zlib.crc32(content, zlib.crc32(name))
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)
