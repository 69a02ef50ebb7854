"""A file of the library ``tokenizers`` that makes ids of texts."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ganvas.errors import OptionError, require
from ganvas.files.folders import expanded
from ganvas.files.read import read_bytes

_MOST = 1 << 28  # bytes of a tokenizer's file
_PIECE = 1 << 20  # letters that are encoded at a time


class TokenizerFile:
    """Texts to ids and back, without special tokens, padding and truncation.

    Args:
        path: of ``tokenizer.json``.

    Attributes:
        vocabulary: V, ids that there are.
        sha256: of the file.

    Raises:
        OptionError: ``tokenizer_file``: it cannot be read, or the library is not installed.
    """

    def __init__(self, path: str) -> None:
        place = expanded(path, "tokenizer_file")
        try:
            content = read_bytes(place, _MOST)
        except OSError as error:
            reason = f"cannot be read ({error.strerror or error}); name a tokenizer.json"
            raise OptionError("tokenizer_file", path, reason) from error
        try:
            library = importlib.import_module("tokenizers")
        except ImportError as error:
            reason = "needs the library tokenizers; pip install 'ganvas[text]', or null for bytes"
            raise OptionError("tokenizer_file", path, reason) from error
        try:
            self._tokenizer: Any = library.Tokenizer.from_buffer(content)
        except Exception as error:  # the library raises Exception itself
            text = " ".join(str(error).split())[:200]
            reason = f"is no file of the library tokenizers ({text}); save one by Tokenizer.save"
            raise OptionError("tokenizer_file", path, reason) from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.vocabulary = int(self._tokenizer.get_vocab_size(with_added_tokens=True))
        self.sha256 = hashlib.sha256(content).hexdigest()
        require(self.vocabulary >= 2, "tokenizer_file", path, "has fewer than 2 ids; train one of more")

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=False)
        return text

    def encode_long(self, text: str) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        """Ids int32 of a text of any length, encoded in pieces that end with a line where they can."""
        parts = [np.array(self.encode(piece), np.int32) for piece in _pieces(text)]
        return np.concatenate(parts) if parts else np.zeros(0, np.int32)


def _pieces(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        stop = min(start + _PIECE, len(text))
        line = text.rfind("\n", start, stop) + 1
        stop = line if stop < len(text) and line > start else stop
        yield text[start:stop]
        start = stop
