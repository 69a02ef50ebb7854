"""Whole numbers in few bytes: 7 bits a byte, the lowest first, the top bit where more follow."""

from __future__ import annotations

_MOST_BYTES = 9  # 63 bits


def put(number: int) -> bytes:
    """The bytes of a number in [0, 2^63)."""
    if not 0 <= number < 1 << (7 * _MOST_BYTES):
        raise ValueError(f"{number} is no number of 63 bits")
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)


class Reader:
    """Takes numbers and bytes off the front of a text of bytes.

    Every method raises ValueError where the bytes end before, or a number is larger than ``most``.
    """

    def __init__(self, content: bytes, at: int = 0) -> None:
        self._content, self.at = content, at

    @property
    def left(self) -> int:
        """Bytes that are left."""
        return len(self._content) - self.at

    def take(self, count: int) -> bytes:
        """So many bytes."""
        if count > self.left:
            raise ValueError("is cut")
        found = self._content[self.at : self.at + count]
        self.at += count
        return found

    def number(self, what: str, least: int, most: int) -> int:
        """A number of :func:`put` in [least, most], in its shortest form."""
        value, shift = 0, 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
            if shift >= 7 * _MOST_BYTES:
                raise ValueError(f"has a {what} beyond all bounds")
        if shift > 7 and byte == 0:
            raise ValueError(f"has a {what} with needless bytes")
        if not least <= value <= most:
            raise ValueError(f"has a {what} of {value}: must be in [{least}, {most}]")
        return value
