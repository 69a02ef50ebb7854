"""Damage behind a right hash: files that begin with a line of JSON, ``{"sha256": ..., "about": ...}``."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

from mutate import plain, raw


def is_sealed(path: Path) -> bool:
    return path.is_file() and path.read_bytes()[:10] == b'{"sha256":'


def resealed(path: Path, draws: random.Random) -> None:
    """What the file says of itself, or what follows, is damaged, and hashed again."""
    line, _, body = path.read_bytes().partition(b"\n")
    about = json.loads(line)["about"]
    if draws.random() < 0.5 or not body:
        about = plain.damaged(about, draws)
    else:
        body = _numbers(body, draws) if draws.random() < 0.7 else raw.damaged(body, draws)
    text = json.dumps(about, sort_keys=True).replace(f'"{plain.DIGITS}"', "9" * 5000)
    digest = hashlib.sha256(text.encode() + b"\n" + body).hexdigest()
    path.write_bytes(f'{{"sha256": "{digest}", "about": {text}}}\n'.encode() + body)


def _numbers(body: bytes, draws: random.Random) -> bytes:
    """One of the whole numbers of 8 bytes becomes another."""
    at = 8 * draws.randrange(max(1, len(body) // 8))
    odd = draws.choice((-1, 0, 1, 511, 512, 2**31 - 1, 2**31, 2**62, 2**63 - 1, -(2**63)))
    return body[:at] + odd.to_bytes(8, "little", signed=True) + body[at + 8 :]
