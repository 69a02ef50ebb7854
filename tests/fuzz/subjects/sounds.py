"""Sounds of a user's own: wav, flac and ogg, their folder, and the cache of them."""

from __future__ import annotations

import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
from data_sets import expecting, reading, sound_folder
from mutate import place, raw
from mutate.arrays import other_array
from mutate.files import damage_bytes, damage_json
from mutate.sealed import is_sealed, resealed
from subject import Reader, Subject
from world import SOUND_FORMATS, World

_CACHE = ("sound_cache/*", "sound_cache")


def _lay_sound(world: World, folder: Path, draws: random.Random) -> Reader:
    """A folder of sounds, some of them damaged."""
    world.copy("sounds", folder / "sounds")
    for _ in range(draws.choice((1, 1, 2, 3))):
        kind = draws.choice(("high", "low"))
        path = folder / "sounds" / kind / f"{draws.randrange(4)}.{draws.choice(SOUND_FORMATS)}"
        _damage_sound(path, draws)
    options: dict[str, Any] = {
        "on_damaged": draws.choice(("stop", "skip")),
        "rate": draws.choice((None, 8000, 16000)),
        "channels": draws.choice((None, 1, 2)),
        "mix_channels": draws.random() < 0.5,
        "max_seconds": draws.choice((1.0, 7200.0)),
    }
    return Reader(writes=_CACHE, call=reading(lambda: sound_folder("sounds", **options)))


def _damage_sound(path: Path, draws: random.Random) -> None:
    chance = draws.random()
    if chance < 0.05:
        place.replaced(path, draws)
    elif chance < 0.35 and path.is_file():
        path.write_bytes(_wav(draws))
    elif path.is_file():
        path.write_bytes(raw.damaged(path.read_bytes(), draws))


def _wav(draws: random.Random) -> bytes:
    """A RIFF file of whole chunks, whatever they say."""
    kind = draws.choice((0, 1, 1, 1, 2, 3, 6, 7, 0x11, 0x55, 0xFFFE))
    channels = draws.choice((0, 1, 1, 2, 8, 255, 65535))
    rate = draws.choice((0, 1, 999, 8000, 8000, 768_000, 2**31, 2**32 - 1))
    bits = draws.choice((0, 1, 8, 16, 16, 24, 32, 64, 65535))
    width = draws.choice((channels * bits // 8, 0, 1, 65535)) % 65536
    form = struct.pack("<HHIIHH", kind, channels, rate, rate * width % 2**32, width, bits)
    body = draws.choice((b"", bytes(1), bytes(1600), draws.randbytes(1600), _floats(draws)))
    length = draws.choice((len(body), len(body), 0, 1 << 20, 0x7FFFFFFF, 0xFFFFFFFF))
    chunks = [_chunk(b"fmt ", form), _chunk(b"LIST", draws.randbytes(20)), b"data", struct.pack("<I", length)]
    if draws.random() < 0.2:
        draws.shuffle(chunks)
    content = b"WAVE" + b"".join(chunks) + body
    return b"RIFF" + struct.pack("<I", draws.choice((len(content), 0, 2**32 - 1))) + content


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content


def _floats(draws: random.Random) -> bytes:
    """Values that are no numbers, and such as lie far beyond [-1, 1]."""
    values = [draws.choice((0.0, 1.0, -3e38, float("nan"), float("inf"), 1e-45)) for _ in range(400)]
    return np.array(values, "<f4").tobytes()


def _lay_cache(world: World, folder: Path, draws: random.Random) -> Reader:
    """Whole sounds beside a damaged cache of them: it is made anew."""
    world.copy("sounds", folder / "sounds")
    world.copy("sound_cache", folder / "sound_cache")
    (array,) = (folder / "sound_cache").glob("*.npy")
    (about,) = (folder / "sound_cache").glob("*.json")
    chance = draws.random()
    if is_sealed(about) and chance < 0.3:
        resealed(about, draws)  # who writes a right hash may name other sounds, and breaks nothing
        return Reader(writes=_CACHE, call=reading(lambda: sound_folder("sounds")))
    if chance < 0.4:
        damage_json(about, draws)
    elif chance < 0.55:
        np.save(array, other_array(np.load(array), draws))
    elif chance < 0.6:
        place.replaced(folder / "sound_cache", draws)
    else:
        damage_bytes(draws.choice((array, array, about)), draws)
    return Reader(writes=_CACHE, call=expecting(lambda: sound_folder("sounds"), world.sound["sounds"]))


SUBJECTS = [
    Subject("sound", "sounds of a folder: wav, flac, ogg", _lay_sound),
    Subject("sound_cache", "the cache of decoded sounds (.npy and .json)", _lay_cache),
]
