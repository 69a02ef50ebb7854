"""The sha256 beside a checkpoint: whether a file is what was written."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ganvas.files.read import open_regular, read_bytes

_PIECE = 1 << 20  # bytes that are hashed at a time
_MOST = 10_000  # bytes of a sidecar; it has two lines at most


def sidecar(path: Path) -> Path:
    """Where a file's hashes stand: its name with ``.sha256`` behind it, in the format of sha256sum."""
    return path.with_name(path.name + ".sha256")


def checksums(path: Path) -> list[str]:
    """The hashes in a file's sidecar, empty where there is none.

    There are two while a file is being replaced by another of its name: the new one's and the old one's.
    """
    try:
        lines = read_bytes(sidecar(path), _MOST).decode().splitlines()
    except (OSError, ValueError):
        return []
    return [line.split()[0] for line in lines if line.strip()]


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with open_regular(path) as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def checksum_matches(path: Path) -> bool:
    """Whether the file's sha256 stands in its sidecar."""
    known = checksums(path)
    try:
        return bool(known) and sha256_of(path) in known
    except OSError:
        return False
