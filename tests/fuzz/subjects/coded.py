"""Files of codes (.gvq): their bytes, and what they say of themselves under right checksums."""

from __future__ import annotations

import random
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from data_sets import BelievedError
from mutate import place, raw
from subject import Reader, Subject
from world import CODED, World

from ganvas.cli.main import main
from ganvas.codec import varint
from ganvas.codec.container import Coder, parse

_WRITES = ("x.npz", ".x.npz.*", "made", "made/*", ".made.*")
_NUMBERS = (1, 2, 7, 8, 9, 255, 4096, 1 << 16, (1 << 16) + 1, 1 << 32)


def _lay(world: World, folder: Path, draws: random.Random) -> Reader:
    """A file to decode, by the run that is named or by the one that its hash finds."""
    name = draws.choice(list(CODED))
    content = (world.folder / "coded" / f"{name}.gvq").read_bytes()
    kind = draws.choice(("raw", "raw", "header", "said", "said"))
    damage = {"raw": raw.damaged, "header": _resealed, "said": _said}[kind]
    path = folder / "x.gvq"
    path.write_bytes(damage(content, draws))
    if draws.random() < 0.03:
        place.replaced(path, draws)
    (folder / "runs").mkdir()
    for run in ("vqvae", "prior"):
        (folder / "runs" / run).symlink_to(world.folder / run)
    words = ["decode", "x.gvq", "--output-dir", "runs"]
    if draws.random() < 0.7:
        words.insert(2, f"runs/{CODED[name][0]}")
    if draws.random() < 0.3:
        return Reader((*words, "--out", "made"), _WRITES)
    sound = world.sound[name] if kind == "raw" else None

    def read() -> int:
        code = main([*words, "--out", "x.npz"])
        if code == 0 and sound is not None and np.load("x.npz")["images"].tobytes() != sound:
            raise BelievedError("a damaged file was decoded to other pixels")
        return code

    return Reader(writes=_WRITES, call=read)


def _resealed(content: bytes, draws: random.Random) -> bytes:
    """The header's bytes are damaged, and have a right checksum."""
    reader = varint.Reader(content, 5)
    length = reader.number("header", 1, 1 << 28)
    header, rest = content[reader.at : reader.at + length], content[reader.at + length + 4 :]
    header = raw.damaged(header, draws)
    head = content[:5] + varint.put(len(header)) + header
    return head + zlib.crc32(head).to_bytes(4, "little") + rest


def _said(content: bytes, draws: random.Random) -> bytes:
    """Something else is said, or another stream is there, and every checksum is right."""
    file, number = parse(content), lambda: draws.choice(_NUMBERS)
    block = file.blocks[0]
    payload = raw.damaged(block.payload, draws)
    changed = {
        "stream": lambda: replace(file, blocks=[replace(block, payload=payload)]),
        "whole": lambda: replace(file, blocks=[replace(block, payload=payload + bytes(-len(payload) % 4))]),
        "count": lambda: replace(file, blocks=[replace(block, images=number())]),
        "shift": lambda: replace(file, blocks=[replace(block, shift=draws.randrange(16))]),
        "sizes": lambda: replace(file, sizes=[(number(), number())]),
        "tile": lambda: replace(file, tile=(number(), number())),
        "channels": lambda: replace(file, channels=number()),
        "classes": lambda: replace(file, num_classes=number()),
        "coder": lambda: replace(file, coder=Coder(draws.randrange(3))),
        "residuals": lambda: replace(
            file, residuals=[replace(one, payload=payload) for one in file.residuals]
        ),
        "pixels": lambda: replace(
            file,
            residuals=[
                replace(one, payload=raw.damaged(one.payload, draws)[: len(one.payload) // 4 * 4])
                for one in file.residuals
            ],
        ),
    }
    return draws.choice(list(changed.values()))().to_bytes()


SUBJECTS = [Subject("coded", "files of codes (.gvq), also behind right checksums", _lay)]
