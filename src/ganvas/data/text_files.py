"""A file of text, or a folder of such: bytes, or the ids of a tokenizer."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch

from ganvas.data.datamodule import SPLITS, TensorDataModule
from ganvas.data.files.damaged import Damage, describe
from ganvas.data.loading.crops import CropLoader
from ganvas.data.loading.loader import TensorLoader
from ganvas.data.loading.stored import Stored
from ganvas.data.text.documents import Piece, Texts, find_texts
from ganvas.data.text.held_out import FEWEST, hold_out_texts
from ganvas.data.text.tokens import TokenizerFile
from ganvas.data.text.windows import Windows
from ganvas.errors import OptionError, require
from ganvas.files.folders import expanded
from ganvas.files.read import open_regular
from ganvas.functional.batch import Batch
from ganvas.modality.text import Text

Document = list[Piece]
Symbols = np.ndarray[tuple[int], np.dtype[np.generic]]
_BYTES = 256
_SEPARATOR = 10  # a newline between texts that are mixed


@dataclass(kw_only=True, eq=False, repr=False)
class TextFiles(TensorDataModule):
    """Rows of ``crop_length`` symbols, int64 [B, T] for networks, in memory a byte each (an id four).

    A folder's files are taken at any depth, in the order of their names, each of them once however many links
    lead to it; with ``pattern='*'`` binary ones (a NUL in the first 8 KB) are passed over, and said, and so
    are hidden and empty ones. Where it holds a folder ``train`` the folders of splits are taken, as of
    images; a split that has none is held out of the training texts, the same for every seed: whole documents
    where there are ten or more, of fewer the last part of each.

    Bytes are taken as they are: a byte order mark, NULs and what is no UTF-8 are bytes too. A tokenizer
    takes UTF-8 alone, and is refused where a text does not come back from its ids.

    Each document is tiled by windows, whose last one ends with it and so overlaps the one before. Validation,
    test and all that is measured take these; training takes a crop of the window's document at a random
    place, another one each epoch.

    Args:
        root: a file, or a folder of files.
        pattern: of names of files that are taken, as a shell's; what it names may be binary.
        crop_length: T, symbols of a sample.
        vocabulary: V, symbols that there are: 256 of bytes; of a tokenizer its number of ids.
        tokenizer_file: of the library ``tokenizers`` (``Tokenizer.save``); None takes bytes.
        mix_documents: joins the texts of a split, a newline between two, so that windows span them. Otherwise
            texts shorter than a window are left out, and said.
        val_fraction: share of the training bytes held out where there is no folder ``val``.
        test_fraction: likewise for ``test``.

    The others: see :class:`ganvas.data.datamodule.TensorDataModule`.

    Raises:
        OptionError: with :meth:`prepare`: no text, files that cannot be read, all of them named, or no text
            as long as a window.
    """

    modality_kind = Text
    pattern: str = "*"
    crop_length: int = 256
    vocabulary: int = _BYTES
    tokenizer_file: str | None = None
    mix_documents: bool = False
    val_fraction: float = 0.1
    test_fraction: float = 0.1
    channels: int | None = field(default=None, init=False)
    image_size: int | None = field(default=None, init=False)
    num_classes: int | None = field(default=None, init=False)
    resize_mode: str = field(default="auto", init=False)
    train_fraction: float = field(default=1.0, init=False)
    horizontal_flip: bool = field(default=False, init=False)
    random_shift: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.crop_length >= 1, "crop_length", self.crop_length, "must be positive; 256 is usual")
        require(self.pattern != "", "pattern", "", "is empty; '*' takes every text, '*.txt' those of a name")
        val, test = self.val_fraction, self.test_fraction
        require(0 <= val < 1, "val_fraction", val, "must be in [0, 1); 0.1 is usual")
        left = f"must be in [0, {1 - val:g}), which val_fraction={val} leaves; 0.1 is usual"
        require(0 <= test < 1 - val, "test_fraction", test, left)
        self.ids = None if self.tokenizer_file is None else TokenizerFile(self.tokenizer_file)
        there = _BYTES if self.ids is None else self.ids.vocabulary
        what = "bytes are 256" if self.ids is None else f"{self.tokenizer_file} has {there} ids"
        require(self.vocabulary == there, "vocabulary", self.vocabulary, f"{what}; vocabulary={there}")
        self._windows: dict[str, Windows] = {}
        self._bytes_per_symbol: float | None = (
            1.0 if self.ids is None else None
        )  # known when the texts are read

    @property
    def modality(self) -> Text:
        return Text(self.vocabulary, self.ids, self._bytes_per_symbol)

    @property
    def declared_shape(self) -> tuple[int, ...]:
        """(T,)."""
        return (self.crop_length,)

    def load(self) -> dict[str, Stored]:
        require(self.root is not None, "root", "null", "name a file or a folder of texts; data.root=/path")
        root = expanded(str(self.root), "root")
        rule = "does not exist; name a file or a folder of texts"
        require(os.path.lexists(root), "root", self.root, rule)
        found = find_texts(root, self.pattern)
        shares = {"val": self.val_fraction, "test": self.test_fraction}
        held_out = {name: share for name, share in shares.items() if name not in found.splits}
        parts = found.splits | hold_out_texts(found.splits["train"], held_out)
        self._say_what_is_there(found, parts)
        documents = {name: self._documents(parts[name]) for name in SPLITS}
        for name, own in documents.items():
            self._windows[name] = self._read(name, own)
        return {name: Stored(self._windows[name].x, None) for name in SPLITS}

    def _documents(self, pieces: list[Piece]) -> list[Document]:
        return [pieces] if self.mix_documents and pieces else [[piece] for piece in pieces]

    def _read(self, name: str, documents: list[Document]) -> Windows:
        """The windows of a split; documents that are shorter than one are left out."""
        if self.ids is None:
            lengths = [sum(piece.size for piece in own) + len(own) - 1 for own in documents]
            fills: list[Callable[[Symbols], None]] = [partial(_fill, own) for own in documents]
        else:
            encoded = self._encoded(documents, self.ids)
            lengths = [len(ids) for ids in encoded]
            fills = [partial(_put, ids) for ids in encoded]
            symbols = sum(lengths)
            if name == "train" and symbols:
                total = sum(sum(piece.size for piece in own) + len(own) - 1 for own in documents)
                self._bytes_per_symbol = total / symbols
        kept = [number for number, length in enumerate(lengths) if length >= self.crop_length]
        self._say_what_is_short(name, lengths, kept)
        windows = Windows(
            [lengths[number] for number in kept],
            self.crop_length,
            torch.uint8 if self.ids is None else torch.int32,
        )
        for place, number in enumerate(kept):
            fills[number](windows.room(place))
            windows.close(place)
        return windows

    def _encoded(self, documents: list[Document], ids: TokenizerFile) -> list[Symbols]:
        """Ids int32 of each document; what is no UTF-8 is refused, all of it at once."""
        found: list[Symbols] = []
        damage: list[Damage] = []
        for own in documents:
            parts: list[str] = []
            for piece in own:
                content = np.empty(piece.size, np.uint8)
                _fill([piece], content)
                try:
                    parts.append(content.tobytes().decode("utf-8"))
                except UnicodeDecodeError as error:
                    reason = f"byte {error.start} is no UTF-8"
                    damage.append(Damage(len(damage), str(piece.path), reason))
            if not damage:
                found.append(self._encoded_whole("\n".join(parts), own[0].path, ids))
        if damage:
            many = f"{len(damage)} texts that are" if len(damage) > 1 else "a text that is"
            how = "mend or remove them, or data.tokenizer_file=null takes bytes as they are"
            reason = f"holds {many} no UTF-8, which a tokenizer takes: {describe(damage)}; {how}"
            raise OptionError("root", str(self.root), reason)
        return found

    def _encoded_whole(self, text: str, path: Path, ids: TokenizerFile) -> Symbols:
        """Ids from which the text comes back; without that bits a byte would not be those of its bytes."""
        found = ids.encode_long(text)
        back = ids.decode(found.tolist())
        if back != text:
            place = next((n for n, (a, b) in enumerate(zip(text, back, strict=False)) if a != b), len(back))
            lost = f"{text[place : place + 12]!r} at letter {place:,} of {path}"
            reason = f"does not give back every text it takes: {lost} (a normalizer?)"
            how = "take a byte-level one without a normalizer, or null for bytes"
            raise OptionError("tokenizer_file", self.tokenizer_file, f"{reason}; {how}")
        return found

    def _say_what_is_there(self, found: Texts, parts: dict[str, list[Piece]]) -> None:
        def size(pieces: Sequence[Piece]) -> str:
            return f"{sum(piece.size for piece in pieces):,} bytes"

        every = [piece for pieces in found.splits.values() for piece in pieces]
        whole = len(found.splits["train"]) >= FEWEST
        how = "held out" if whole else "held out, the last parts"
        counts = [
            f"{name} {len(parts[name]):,} ({size(parts[name])})"
            + ("" if name in found.splits or not parts[name] else f" ({how})")
            for name in SPLITS
        ]
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(found.passed_over.items()))
        texts = "1 text" if len(every) == 1 else f"{len(every):,} texts"
        self.note(
            f"{self.root}: {texts} ({size(every)}); {', '.join(counts)}; passed over: {kinds or 'nothing'}"
        )
        if found.marked:
            self.note(f"{self.root}: {found.marked:,} begin with a byte order mark, which is kept")

    def _say_what_is_short(self, name: str, lengths: list[int], kept: list[int]) -> None:
        short, symbols = len(lengths) - len(kept), sum(lengths) - sum(lengths[number] for number in kept)
        unit = "bytes" if self.ids is None else "ids"
        told = f"{short:,} of {len(lengths):,} texts ({symbols:,} {unit}) are shorter than a window"
        if short and kept:
            self.note(f"{self.root}: {name}: {told} and left out; data.mix_documents=true joins them")
        elif name == "train":
            reason = f"is more than any of the {len(lengths):,} training texts has, {symbols:,} {unit} in all"
            how = "a shorter one, or data.mix_documents=true joins them" if short > 1 else "a shorter one"
            require(bool(kept), "crop_length", self.crop_length, f"{reason}; {how}")
        elif short:
            self.note(f"{self.root}: {name} is empty: {told}")

    def codes(self, name: str, batch_size: int, limit: int | None = None) -> Iterator[Batch]:
        """The same: symbols are codes, of :class:`ganvas.model.symbols.Symbols`."""
        yield from self.batches(name, batch_size, limit)

    def fingerprint(self) -> dict[str, object]:
        found = super().fingerprint()
        lengths = {name: own.lengths.numpy().tobytes() for name, own in self._windows.items()}
        return found | {
            "documents": {name: len(own.lengths) for name, own in self._windows.items()},
            "lengths_sha256": hashlib.sha256(b"".join(lengths[name] for name in SPLITS)).hexdigest(),
            **({} if self.ids is None else {"tokenizer_sha256": self.ids.sha256}),
        }

    def describe_split(self, name: str, limit: int | None = None) -> dict[str, object]:
        """As of every data set, and the sha256 of the tokenizer's file where there is one."""
        own = {} if self.ids is None else {"tokenizer_sha256": self.ids.sha256}
        return super().describe_split(name, limit) | own

    def _make_loader(self, name: str) -> Callable[..., TensorLoader]:
        if name != "train":
            return TensorLoader
        self.prepare()
        return partial(CropLoader, source=self._windows["train"])


def _fill(document: Document, room: Symbols) -> None:
    """Writes the bytes of a document's pieces into uint8 [L], a newline between two."""
    place = 0
    for number, piece in enumerate(document):
        if number:
            room[place] = _SEPARATOR
            place += 1
        part = memoryview(room[place : place + piece.size])  # type: ignore[arg-type]
        _read_into(piece.path, piece.start, part)
        place += piece.size


def _read_into(path: Path, start: int, room: memoryview) -> None:
    with open_regular(path) as file:
        file.seek(start)
        done = 0
        while done < len(room) and (more := file.readinto(room[done:])):
            done += more
    if done < len(room):
        raise OSError(f"{path} became shorter while it was read")


def _put(ids: Symbols, room: Symbols) -> None:
    room[:] = ids
