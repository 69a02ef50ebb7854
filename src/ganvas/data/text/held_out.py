"""Texts for validation and test, held out of those to train on, the same for every seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from ganvas.data.text.documents import Piece
from ganvas.files.read import open_regular
from ganvas.functional.random import hash64

FEWEST = 10  # documents of which whole ones are held out; of fewer the last part of each
_LETTER = 4  # bytes of the longest letter in UTF-8


def hold_out_texts(texts: Sequence[Piece], shares: Mapping[str, float]) -> dict[str, list[Piece]]:
    """Parts texts into ``train`` and the splits of ``shares``, by their bytes.

    From ten texts on whole ones are held out, at random, until a split comes nearest to its share; the
    largest one is trained on always. Of fewer each gives its last bytes, validation before test, cut before
    a letter of UTF-8.

    Args:
        shares: of each split its share of all bytes, together below 1.
    """
    if len(texts) < FEWEST:
        return _last_parts(texts, shares)
    total = sum(text.size for text in texts)
    largest = max(range(len(texts)), key=lambda number: texts[number].size)
    order = torch.randperm(len(texts), generator=torch.Generator().manual_seed(hash64("hold-out", "texts")))
    chosen: dict[str, list[int]] = {"train": [largest], **{name: [] for name in shares}}
    room = {name: share * total for name, share in shares.items()}
    for number in order.tolist():
        if number == largest:
            continue
        size = texts[number].size
        split = next((name for name, left in room.items() if left >= size / 2), "train")
        if split != "train":
            room[split] -= size
        chosen[split].append(number)
    return {name: [texts[number] for number in sorted(numbers)] for name, numbers in chosen.items()}


def _last_parts(texts: Sequence[Piece], shares: Mapping[str, float]) -> dict[str, list[Piece]]:
    found: dict[str, list[Piece]] = {"train": [], **{name: [] for name in shares}}
    for text in texts:
        ends = [1 - sum(list(shares.values())[number:]) for number in range(len(shares))]
        cuts = [_before_a_letter(text, text.start + round(end * text.size)) for end in ends]
        for name, start, stop in zip(found, [text.start, *cuts], [*cuts, text.stop], strict=True):
            if stop > start:
                found[name].append(Piece(text.path, start, stop))
    return found


def _before_a_letter(text: Piece, place: int) -> int:
    """The first place from ``place`` on where no letter of UTF-8 is cut; of other bytes the place itself."""
    with open_regular(text.path) as file:
        file.seek(place)
        head = file.read(_LETTER)
    within = next((number for number, byte in enumerate(head) if byte & 0xC0 != 0x80), 0)
    return min(place + within, text.stop)
