"""Texts of a user's own, as bytes and by a tokenizer, and the tokenizer's file."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from data_sets import reading, text_files
from mutate import place, raw
from mutate.files import damage_bytes, damage_json
from subject import Reader, Subject
from world import VOCABULARY, World

_TOKENS: dict[str, Any] = {"tokenizer_file": "tokenizer.json", "vocabulary": VOCABULARY}
_MOST = 1000  # samples of a split that are read: a hole of 300 MB is a text of 40 million


def _lay_text(world: World, folder: Path, draws: random.Random) -> Reader:
    """A folder of texts, some of them damaged."""
    _lay_whole(world, folder)
    for _ in range(draws.choice((1, 1, 2, 3))):
        path = folder / "texts" / draws.choice(("a.txt", "b.txt", "deep/c.txt", "deep"))
        if path.is_dir():
            place.replaced(path, draws)
        elif path.is_file():
            damage_bytes(path, draws)
    options: dict[str, Any] = {
        "root": draws.choice(("texts", "texts", "texts/a.txt")),
        "pattern": draws.choice(("*", "*.txt")),
        "mix_documents": draws.random() < 0.5,
        **draws.choice(({}, _TOKENS)),
    }
    return Reader(call=reading(lambda: text_files(**options), _MOST))


def _lay_tokenizer(world: World, folder: Path, draws: random.Random) -> Reader:
    """Whole texts beside a damaged tokenizer."""
    _lay_whole(world, folder)
    path = folder / "tokenizer.json"
    if draws.random() < 0.6:
        damage_json(path, draws)
    elif draws.random() < 0.1:
        place.replaced(path, draws)
    else:
        path.write_bytes(raw.damaged(path.read_bytes(), draws))
    return Reader(call=reading(lambda: text_files("texts", **_TOKENS), _MOST))


def _lay_whole(world: World, folder: Path) -> None:
    world.copy("texts", folder / "texts")
    (folder / "tokenizer.json").write_bytes((world.folder / "tokenizer.json").read_bytes())


SUBJECTS = [
    Subject("text", "texts of a folder, as bytes and as ids", _lay_text),
    Subject("tokenizer", "the file of a tokenizer (.json)", _lay_tokenizer),
]
