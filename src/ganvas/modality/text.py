"""Texts: rows of symbols, which are bytes or the ids of a tokenizer."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

import torch
from torch import Tensor

from ganvas.errors import OptionError
from ganvas.files.read import read_bytes
from ganvas.functional.random import hash_index
from ganvas.modality.interface import SHEETS, Measure, Modality

_BYTES = 256
_SPACE = 32
_MOST = 1 << 30  # bytes of a file of one text
_SHOWN = 64  # texts in one Markdown


class Ids(Protocol):
    """Texts to ids of symbols and back (``ganvas.data.text.tokens.TokenizerFile`` in full)."""

    def encode(self, text: str) -> list[int]: ...

    def decode(self, ids: Sequence[int]) -> str: ...


class Text(Modality):
    """Rows of T symbols: int64 [B, T] for networks, stored as uint8 (bytes) or int32 (ids) [N, T].

    Args:
        vocabulary: V, symbols that there are.
        ids: what makes ids of texts; None: symbols are bytes.
        bytes_per_symbol: by which bits are told a byte: 1 of bytes; of ids the mean of the training texts,
            None where no text was read.
    """

    name = "text"
    plural = "texts"
    endings = (".txt",)
    sheets = (".txt", *SHEETS)
    is_discrete = True
    normalization = "samples are numbers of symbols: bytes, or ids of the data's tokenizer"
    reports = {
        "accuracy": "max",
        "bits_per_text": "min",
        "bits_per_byte": "min",
        "code_bits_per_byte": None,
        "decoder_bits_per_byte": "min",
    }

    def __init__(
        self, vocabulary: int = _BYTES, ids: Ids | None = None, bytes_per_symbol: float | None = 1.0
    ) -> None:
        self.vocabulary, self.ids, self.bytes_per_symbol = vocabulary, ids, bytes_per_symbol

    @property
    def dtype(self) -> torch.dtype:
        """Of stored symbols."""
        return torch.uint8 if self.ids is None and self.vocabulary <= _BYTES else torch.int32

    @property
    def blank(self) -> int:
        """The space where symbols are bytes; of ids the first."""
        return _SPACE if self.ids is None and self.vocabulary > _SPACE else 0

    def wrong_with(self, stored: Tensor) -> str | None:
        if stored.dtype is not self.dtype or stored.ndim != 2 or stored.shape[1] < 1:
            found = f"{str(stored.dtype).removeprefix('torch.')} {list(stored.shape)}"
            return f"texts are {str(self.dtype).removeprefix('torch.')} [N, T], and these {found}"
        if not stored.numel():
            return None
        low, high = (int(value) for value in torch.aminmax(stored))
        if low < 0 or high >= self.vocabulary:
            return f"symbols are 0 to {self.vocabulary - 1}, and these reach from {low} to {high}"
        return None

    def to_model(self, stored: Tensor) -> Tensor:
        """int64 [B, T]."""
        return stored.long()

    def to_stored(self, x: Tensor) -> Tensor:
        return x.clamp(0, self.vocabulary - 1).to(self.dtype)

    def pictures(self, x: Tensor) -> Tensor:
        """A pixel a symbol, row by row in a square, black behind the last.

        Bytes have the colour of their kind (white space dark, letters blue, digits green, other signs
        orange, control characters red, beyond ASCII violet), ids one each.
        """
        side = math.ceil(math.sqrt(x.shape[1]))
        colours = self._colours()[self.to_stored(x).cpu().long()]  # [B, T, 3]
        found = torch.zeros(len(x), side * side, 3, dtype=torch.uint8)
        found[:, : x.shape[1]] = colours
        return found.view(len(x), side, side, 3).permute(0, 3, 1, 2).contiguous()

    def readings(self, x: Tensor) -> Sequence[str]:
        """Control characters as signs for them, bytes that are no UTF-8 as numbers."""
        return [readable(self.content(row)) for row in self.to_stored(x).cpu()]

    def text(self, x: Tensor) -> str:
        """A block of code each, of :meth:`readings`."""
        blocks = [_block(one) for one in self.readings(x[:_SHOWN])]
        more = len(x) - len(blocks)
        return "\n\n".join([*blocks, *([f"and {more} more"] if more > 0 else [])])

    def content(self, stored: Tensor) -> bytes:
        """What one stored text [T] holds, as bytes; of ids in UTF-8."""
        if self.ids is None:
            return stored.to(torch.uint8).numpy().tobytes()
        return self.ids.decode(stored.tolist()).encode("utf-8", "replace")

    def write(self, file: BinaryIO, ending: str, stored: Tensor) -> None:
        """Its bytes, as they are."""
        if ending not in self.endings:
            raise OptionError("--out", ending, "texts are written as .txt; name such a file, or a .npz")
        file.write(self.content(stored.cpu()))

    def write_several(
        self, file: BinaryIO, ending: str, stored: Tensor, beside: Tensor | None = None
    ) -> None:
        """For people: each text under a line with its number, an original above its reconstruction."""
        if ending not in self.endings:
            raise OptionError("--out", ending, "texts are written as .txt; name such a file, or a .npz")
        lines = []
        for number, one in enumerate(stored.cpu()):
            if beside is not None:
                lines += [f"--- {number}, original", readable(self.content(beside[number].cpu()))]
            name = f"{number}" if beside is None else f"{number}, reconstruction"
            lines += [f"--- {name}", readable(self.content(one))]
        file.write(("\n".join(lines) + "\n").encode("utf-8"))

    def read(self, path: Path) -> Tensor:
        """A file's bytes uint8 [T], or its ids int32 [T]."""
        content = read_bytes(path, _MOST)
        if self.ids is None:
            return _bytes(content)
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"byte {error.start} is no UTF-8, which the tokenizer takes") from error
        return torch.tensor(self.ids.encode(text), dtype=torch.int32)

    def typed(self, words: str) -> Tensor:
        """Its bytes in UTF-8, uint8 [T], or its ids int32 [T]; what is no letter becomes a question mark."""
        content = words.encode("utf-8", "replace")
        if self.ids is None:
            return _bytes(content)
        return torch.tensor(self.ids.encode(content.decode("utf-8")), dtype=torch.int32)

    def units(self, shape: Sequence[int]) -> Mapping[str, float]:
        """``bits_per_byte``; of ids by the mean number of bytes of the training texts' symbols."""
        if self.bytes_per_symbol is None:
            return {}
        return {"bits_per_byte": shape[0] * self.bytes_per_symbol}

    def measures(self, shape: Sequence[int]) -> Sequence[Measure]:
        """``accuracy``: the share of symbols that are right."""
        protocol = {"accuracy": "share of symbols that are equal, mean over texts"}
        return (Measure("accuracy", "max", protocol, _accuracy),)

    def _colours(self) -> Tensor:
        """uint8 [V, 3]."""
        if self.ids is None:
            return _byte_colours()[: self.vocabulary]
        numbers = hash_index(torch.arange(3 * self.vocabulary), "colour of a symbol").view(-1, 3)
        return (64 + numbers % 192).to(torch.uint8)


def _bytes(content: bytes) -> Tensor:
    """uint8 [T]; torch takes no empty buffer."""
    if not content:
        return torch.zeros(0, dtype=torch.uint8)
    return torch.frombuffer(bytearray(content), dtype=torch.uint8)


def _accuracy(original: Tensor, reconstruction: Tensor) -> Tensor:
    return (original == reconstruction).double().flatten(1).mean(1)


def _byte_colours() -> Tensor:
    kinds = {
        **dict.fromkeys(range(256), (170, 90, 220)),  # beyond ASCII
        **dict.fromkeys(range(33, 127), (230, 150, 40)),
        **dict.fromkeys(b"0123456789", (70, 200, 90)),
        **dict.fromkeys([*range(65, 91), *range(97, 123)], (70, 130, 230)),
        **dict.fromkeys([*range(32), 127], (220, 50, 50)),
        **dict.fromkeys(b" \t\n\r", (40, 40, 40)),
    }
    levels = torch.tensor([kinds[value] for value in range(256)])
    shade = 0.75 + 0.5 * (torch.arange(256) % 32)[:, None] / 32  # letters differ among each other
    return (levels * shade).clamp(0, 255).to(torch.uint8)


def readable(content: bytes) -> str:
    """Text for people: what is no UTF-8, moves a cursor or is not seen, as signs and numbers."""
    text = content.decode("utf-8", "backslashreplace")
    return "".join(_sign(letter) for letter in text)


def _sign(letter: str) -> str:
    if letter.isprintable() or letter in "\n\t":
        return letter
    code = ord(letter)
    if code < 32 or code == 127:
        return chr(0x2400 + code if code < 32 else 0x2421)  # Unicode's pictures of control characters
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _block(text: str) -> str:
    """A fenced block, its fence longer than any in the text (CommonMark 0.31, section 4.5)."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"
