"""The file: what is written is read, and nothing else is."""

from __future__ import annotations

import time
import tracemalloc
import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_prior import ToyPrior

from ganvas.codec import varint
from ganvas.codec.codes import decode_codes, encode_codes
from ganvas.codec.container import MAGIC, Block, Coder, Container, Residual, parse
from ganvas.functional.code_layout import CodeLayout

MODEL = bytes(range(16))
LAYOUT = CodeLayout(((5, 9), (300,)), ((2, 2), (3,)))
FILE = Container(
    Coder.PRIOR,
    MODEL,
    LAYOUT,
    num_classes=10,
    channels=3,
    sizes=[(28, 28), (27, 300), (1, 1)],
    blocks=[Block(2, b"abcdefgh", 2**32 - 1, 3), Block(1, b"", 0, 15)],
    residuals=[Residual(3, b"0123", 77)],
)


def test_what_is_written_is_read() -> None:
    assert parse(FILE.to_bytes()) == FILE
    equal = replace(FILE, sizes=[(28, 28)], residuals=[])
    assert parse(equal.to_bytes()) == equal
    assert FILE.images == 3
    cut = replace(FILE, sizes=[(9, 20)], tile=(9, 8), blocks=[Block(6, b"a", 1)], residuals=[])
    assert parse(cut.to_bytes()) == cut
    assert (cut.pictures, cut.images, equal.pictures) == (2, 6, 3)
    alike = replace(FILE, sizes=[(28, 28)] * 3)
    assert len(alike.to_bytes()) == len(replace(FILE, sizes=[(28, 28)]).to_bytes())


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 2**32, 2**63 - 1])
def test_a_number_takes_seven_bits_a_byte(number: int) -> None:
    content = varint.put(number)
    assert len(content) == max(1, -(-number.bit_length() // 7))
    assert varint.Reader(content + b"x").number("number", 0, 2**63) == number


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is cut"),
        (b"\xff", "is cut"),
        (b"\xff" * 12, "beyond all bounds"),
        (b"\x81\x00", "needless"),
        (b"\x09", "of 9"),
    ],
)
def test_a_number_that_is_none_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        varint.Reader(content).number("number", 0, 8)


def sealed(header: bytes) -> bytes:
    """A file with any header and the right checksum over it."""
    head = MAGIC + varint.put(1) + varint.put(len(header)) + header
    return head + zlib.crc32(head).to_bytes(4, "little")


def number(*values: int) -> bytes:
    return b"".join(map(varint.put, values))


GRID = number(1, 1, 512, 2, 7, 7)  # one map of one level at 7 x 7
HUGE = 1 << 40


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\x89", "is cut"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "is no file of codes"),
        (MAGIC, "is cut"),
        (MAGIC + varint.put(2) + bytes(50), "version 2"),
        (MAGIC + varint.put(1) + varint.put(HUGE), "header of"),
        (MAGIC + varint.put(1) + varint.put(1 << 20), "header is not whole"),
        (sealed(b"\x00"), "is cut"),
        (sealed(number(3) + MODEL + GRID), "coder of 3"),
        (sealed(number(2) + MODEL + number(1 << 30)), "number of maps"),
        (sealed(number(2) + MODEL + number(1, 1 << 30)), "number of levels"),
        (sealed(number(2) + MODEL + number(1, 1, 1, 0)), "codebook of 1"),
        (sealed(number(2) + MODEL + number(1, 1, 1 << 40)), "codebook of"),
        (sealed(number(2) + MODEL + number(1, 1, 2, 2, 1 << 22, 1 << 22)), "codes an image"),
        (sealed(number(2) + MODEL + GRID + number(0, 1, 0, 0, HUGE, 0, 28, 28)), "too few sizes"),
        (sealed(number(2) + MODEL + GRID + number(0, 1, 8, 0, 1, 1, 28, 28)), "tiles of 8 x 0"),
        (sealed(number(2) + MODEL + GRID + number(0, 1, 1 << 17, 8)), "tile's height of"),
        (
            sealed(number(2) + MODEL + GRID + number(0, 1, 14, 7, 2, 1, 28, 28, 1, 4, 0, 0) + bytes(9)),
            "other than 16 images",
        ),
        (sealed(number(2) + MODEL + GRID + number(0, 1, 0, 0, HUGE, 1, 28, 28, HUGE)), "number of blocks"),
        (
            sealed(number(2) + MODEL + GRID + number(0, 1, 0, 0, HUGE, 1, 28, 28, 1 << 30)),
            "index that is cut",
        ),
        (
            sealed(number(2) + MODEL + GRID + number(0, 1, 0, 0, HUGE, 1, 28, 28, 1, HUGE) + bytes(20)),
            "number of images",
        ),
        (
            sealed(number(2) + MODEL + GRID + number(0, 1, 0, 0, 5, 1, 28, 28, 1, 4, 0, 0) + bytes(9)),
            "other than 5 images",
        ),
        (
            sealed(number(2) + MODEL + GRID + number(0, 1, 0, 0, 4, 1, 28, 28, 1, 4, 16, 0) + bytes(9)),
            "shift of 16",
        ),
        (
            sealed(number(2) + MODEL + GRID + number(0, 1, 0, 0, 4, 1, 28, 28, 1, 4, 0, 8) + bytes(9)),
            "is cut: 8 bytes",
        ),
        (
            sealed(number(2) + MODEL + GRID + number(0, 1, 0, 0, 4, 1, 28, 28, 1, 4, 0, 0) + bytes(10)),
            "mean nothing",
        ),
    ],
)
def test_a_header_that_lies_is_refused_by_name_at_once(content: bytes, reason: str) -> None:
    tracemalloc.start()
    try:
        start = time.perf_counter()
        with pytest.raises(ValueError, match=reason):
            parse(content)
        assert time.perf_counter() - start < 1
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def mutate(content: bytes, foreign: bytes, draws: np.random.Generator) -> bytes:
    """One of: bits turned, cut, extended, a piece of another file, a piece left out or doubled."""
    kind, at = int(draws.integers(0, 6)), int(draws.integers(0, len(content)))
    length = int(draws.integers(1, 9))
    if kind == 0:
        return content[:at] + bytes([content[at] ^ (1 << int(draws.integers(0, 8)))]) + content[at + 1 :]
    if kind == 1:
        return content[:at]
    if kind == 2:
        return content + draws.bytes(length)
    if kind == 3:
        return content[:at] + foreign[at:]
    if kind == 4:
        return content[:at] + content[at + length :]
    return content[:at] + content[at : at + length] + content[at:]


def refuse_mutations(count: int) -> None:
    pytest.importorskip("constriction", reason="the extra ganvas[codec] is not installed")
    prior = ToyPrior(LAYOUT, 3)
    codes, _ = prior.sample(40)
    label = torch.arange(40) % 4
    content, foreign = (
        encode_codes(
            own, layout=LAYOUT, model=model, sizes=[(28, 28)], prior=prior, label=label, block=16
        ).to_bytes()
        for own, model in ((codes, MODEL), (codes.flip(0), bytes(16)))
    )
    draws = np.random.default_rng(0)
    for _ in range(count):
        broken = mutate(content, foreign, draws)
        if broken == content:
            continue
        with pytest.raises(ValueError, match=r"^(is|has|was|holds|goes) ") as error:
            decode_codes(parse(broken), layout=LAYOUT, model=MODEL, prior=prior)
        assert "\n" not in str(error.value)


def test_mutations_are_refused() -> None:
    refuse_mutations(300)


@pytest.mark.slow
def test_two_thousand_mutations_are_refused() -> None:
    refuse_mutations(2300)


def test_a_stream_under_right_checksums_that_was_never_written_is_refused() -> None:
    pytest.importorskip("constriction", reason="the extra ganvas[codec] is not installed")
    prior, draws = ToyPrior(LAYOUT), np.random.default_rng(0)
    for words in range(60):
        stream = draws.bytes(4 * words + (words % 7 == 0))
        file = Container(Coder.PRIOR, MODEL, LAYOUT, 0, 1, [(8, 8)], [Block(7, stream, 1)])
        with pytest.raises(ValueError, match=r"CRC of block 0|other probabilities|is cut"):
            decode_codes(parse(file.to_bytes()), layout=LAYOUT, model=MODEL, prior=prior)
