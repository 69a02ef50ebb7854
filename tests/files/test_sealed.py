from __future__ import annotations

import json
import os
import zlib
from pathlib import Path

import pytest

from ganvas.files.sealed import BLOCK, checksums_of, seal, unseal

ABOUT = {"key": "a", "damage": [[1, "ü", "why"]], "part": 0.5}


def test_what_was_sealed_comes_back() -> None:
    for body in (b"", b"\n\x00\xff" * 5):
        assert unseal(seal(ABOUT, body)) == (ABOUT, body)
    assert json.loads(seal(ABOUT))["about"] == ABOUT  # without a body it is plain JSON


def test_every_turned_bit_and_every_cut_is_found() -> None:
    content = seal(ABOUT, b"\x07body")
    for place in range(len(content)):
        for bit in range(8):
            turned = bytearray(content)
            turned[place] ^= 1 << bit
            with pytest.raises(ValueError, match=r"\w"):
                unseal(bytes(turned))
    for length in range(len(content)):
        with pytest.raises(ValueError, match=r"\w"):
            unseal(content[:length])
    with pytest.raises(ValueError, match=r"\w"):
        unseal(content + b"\n")


@pytest.mark.parametrize(
    "text", ["[]", "{}", "1", '{"sha256": "a"}', '{"sha256": 1, "about": []}', "[" * 5000]
)
def test_what_is_no_seal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        unseal(text.encode() + b"\n")


def test_a_checksum_of_each_block(tmp_path: Path) -> None:
    blocks = [bytes([number]) * BLOCK for number in (1, 2)] + [b"rest"]
    (tmp_path / "file").write_bytes(b"".join(blocks))
    handle = os.open(tmp_path / "file", os.O_RDONLY)
    try:
        assert checksums_of(handle, 2 * BLOCK + 4) == [zlib.crc32(block) for block in blocks]
        assert checksums_of(handle, 0) == []
        with pytest.raises(OSError, match="ends before"):
            checksums_of(handle, 2 * BLOCK + 5)
    finally:
        os.close(handle)
