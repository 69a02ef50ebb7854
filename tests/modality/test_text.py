from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.modality.text import Text, readable


class Letters:
    """Ids of the letters a, b, c, ..."""

    def encode(self, text: str) -> list[int]:
        return [ord(letter) - ord("a") for letter in text]

    def decode(self, ids: list[int]) -> str:
        return "".join(chr(ord("a") + one) for one in ids)


def test_all_bytes_come_back():
    kind, stored = Text(), torch.arange(256, dtype=torch.uint8).view(2, 128)
    x = kind.to_model(stored)
    assert x.dtype is torch.int64
    assert torch.equal(kind.to_stored(x), stored)
    assert kind.wrong_with(stored) is None
    assert b"".join(kind.content(row) for row in stored) == bytes(range(256))
    assert kind.to_stored(torch.tensor([[-1, 256]])).tolist() == [[0, 255]]


@pytest.mark.parametrize(
    ("stored", "says"),
    [
        (torch.zeros(2, 4), "texts are uint8 [N, T], and these float32 [2, 4]"),
        (torch.zeros(4, dtype=torch.uint8), "and these uint8 [4]"),
        (torch.zeros(4, 0, dtype=torch.uint8), "and these uint8 [4, 0]"),
        (torch.tensor([[0, 3, 200]], dtype=torch.uint8), "0 to 199, and these reach from 0 to 200"),
    ],
)
def test_what_is_no_text(stored, says):
    assert says in (Text(200).wrong_with(stored) or "")


def test_ids():
    kind = Text(26, Letters(), 1.5)
    assert kind.dtype is torch.int32
    assert kind.content(torch.tensor([2, 0, 1])) == b"cab"
    assert kind.units((10,)) == {"bits_per_byte": 15.0}
    assert Text(26, Letters(), None).units((10,)) == {}
    assert Text().units((10,)) == {"bits_per_byte": 10.0}


def test_files_hold_the_bytes(tmp_path: Path):
    content = b"\xef\xbb\xbfa\0\xff\r\n"
    with (tmp_path / "a.txt").open("w+b") as file:
        Text().write(file, ".txt", torch.tensor(list(content), dtype=torch.uint8))
    assert (tmp_path / "a.txt").read_bytes() == content
    assert bytes(Text().read(tmp_path / "a.txt").tolist()) == content
    with pytest.raises(OptionError, match=r"^--out=\.wav: texts are written as \.txt"):
        Text().write(io.BytesIO(), ".wav", torch.zeros(1, dtype=torch.uint8))
    (tmp_path / "b.txt").write_bytes(b"\xff")
    with pytest.raises(ValueError, match="byte 0 is no UTF-8"):
        Text(26, Letters()).read(tmp_path / "b.txt")
    (tmp_path / "c.txt").write_bytes(b"")
    assert Text().read(tmp_path / "c.txt").shape == (0,)


def test_pairs_are_an_original_above_its_reconstruction():
    file = io.BytesIO()
    one, two = (torch.tensor([list(text)], dtype=torch.uint8) for text in (b"a\x1bb\xff", b"xy\nz"))
    Text().write_several(file, ".txt", two, one)
    assert file.getvalue().decode() == "--- 0, original\na\u241bb\\xff\n--- 0, reconstruction\nxy\nz\n"


def test_what_is_not_seen_is_shown_by_signs():
    assert readable(b"a\tb\n\0\x7f\xc3\xa9\xff") == "a\tb\n\u2400\u2421é\\xff"
    assert readable("\u200b\u202e\U000e0001".encode()) == "\\u200b\\u202e\\U000e0001"


def test_a_block_of_code_holds_any_text():
    texts = torch.tensor([list(b"a```b``"), list(b"1234567")])
    assert Text().text(texts) == "````text\na```b``\n````\n\n```text\n1234567\n```"
    assert Text().text(torch.full((70, 1), 65)).endswith("and 6 more")


def test_pictures_have_a_pixel_a_symbol_and_a_colour_a_kind():
    picture = Text().pictures(torch.tensor([list(b"aB1 \xffz!")]))
    assert (picture.shape, picture.dtype) == ((1, 3, 3, 3), torch.uint8)
    pixels = picture[0].permute(1, 2, 0).view(9, 3).int()
    strongest = pixels.argmax(1).tolist()
    assert [strongest[n] for n in (0, 1, 2, 4, 5, 6)] == [2, 2, 1, 2, 2, 0]  # letters blue, digits green
    assert pixels[3].max() < 64  # white space
    assert not pixels[7:].any()
    ids = Text(1000, Letters()).pictures(torch.arange(1000)[None])
    assert len(ids[0].permute(1, 2, 0).reshape(-1, 3)[:1000].unique(dim=0)) > 990


def test_accuracy():
    (found,) = Text().measures((4,))
    x, y = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8]]), torch.tensor([[1, 2, 3, 9], [8, 7, 6, 5]])
    assert (found.name, found.of(x, y).tolist()) == ("accuracy", [0.75, 0.0])


def test_what_is_typed_is_its_bytes_or_ids():
    typed = Text().typed("\u00e9a")
    assert (typed.dtype, typed.tolist()) == (torch.uint8, [0xC3, 0xA9, 0x61])
    assert Text().typed("\ud800").tolist() == [63]  # half of a pair, which UTF-8 cannot hold
    assert Text().typed("").shape == (0,)
    typed = Text(26, Letters()).typed("cab")
    assert (typed.dtype, typed.tolist()) == (torch.int32, [2, 0, 1])


def test_nothing_is_drawn_as_a_space():
    assert (Text().blank, Text(26, Letters()).blank, Text(20).blank) == (32, 0, 0)
