"""Damage to bytes: cut, turned, zeroed, repeated, swapped, inserted; and to texts of JSON and YAML."""

from __future__ import annotations

import random

_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 2**64 - 1)
_WORDS = (
    *(b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"NaN", b"Infinity", b"1e999", b"9" * 5000),
    *(b"[" * 3000, b'{"a":' * 3000, b'"\\ud800"', b"\x1b[2J", b"&a [*a]", b"!!python/object:os.system x"),
    *(b"\n", b"\r", b"0x" + b"f" * 6000, b"? [a] : b\n", b"\t", b"---\n", b"<<: *a\n", b"1_000", b"1:30:00"),
)


def _cut(data: bytes, draws: random.Random) -> bytes:
    return data[: draws.randrange(len(data) + 1)]


def _cut_front(data: bytes, draws: random.Random) -> bytes:
    return data[draws.randrange(len(data) + 1) :]


def _turn(data: bytes, draws: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draws.choice((1, 1, 2, 8, 64))):
        if changed:
            changed[_place(changed, draws)] ^= 1 << draws.randrange(8)
    return bytes(changed)


def _zero(data: bytes, draws: random.Random) -> bytes:
    start = draws.randrange(len(data) + 1)
    length = draws.choice((1, 4, 64, 4096, len(data)))
    hole = data[start : start + length]
    return data[:start] + bytes(len(hole)) + data[start + len(hole) :]


def _repeat(data: bytes, draws: random.Random) -> bytes:
    start = draws.randrange(len(data) + 1)
    piece = data[start : start + draws.choice((1, 16, 256))]
    return data[:start] + piece * draws.choice((2, 10, 100)) + data[start + len(piece) :]


def _drop(data: bytes, draws: random.Random) -> bytes:
    start = draws.randrange(len(data) + 1)
    return data[:start] + data[start + draws.choice((1, 2, 8, 64)) :]


def _insert(data: bytes, draws: random.Random) -> bytes:
    start = draws.randrange(len(data) + 1)
    return data[:start] + draws.choice((draws.randbytes(8), *_WORDS)) + data[start:]


def _number(data: bytes, draws: random.Random) -> bytes:
    """Some bytes become a number at the edge of its range, in either order."""
    width = draws.choice((1, 2, 4, 8))
    start = _place(data, draws)
    value = (draws.choice(_NUMBERS) & (1 << 8 * width) - 1).to_bytes(width, draws.choice(("little", "big")))
    return data[:start] + value + data[start + width :]


def _swap(data: bytes, draws: random.Random) -> bytes:
    first, second = sorted((draws.randrange(len(data) + 1), draws.randrange(len(data) + 1)))
    middle = (first + second) // 2
    return data[:first] + data[middle:second] + data[first:middle] + data[second:]


def _replace(data: bytes, draws: random.Random) -> bytes:
    return draws.choice((b"", b"\x00", bytes(1000), draws.randbytes(500), *_WORDS))


def _place(data: bytes | bytearray, draws: random.Random) -> int:
    """Headers are more interesting than what follows."""
    most = min(len(data), 64) if draws.random() < 0.5 else len(data)
    return draws.randrange(max(1, most))


_CHANGES = (_cut, _cut, _cut_front, _turn, _turn, _zero, _repeat, _drop, _insert, _number, _number, _swap)


def damaged(data: bytes, draws: random.Random) -> bytes:
    """The bytes with one to three changes; sometimes others altogether."""
    if draws.random() < 0.04:
        return _replace(data, draws)
    for _ in range(draws.choice((1, 1, 1, 2, 3))):
        data = draws.choice(_CHANGES)(data, draws)
    return data
