"""The sha256 beside a checkpoint: whether a file is what was written."""

from __future__ import annotations

import hashlib
from pathlib import Path


def sidecar(path: Path) -> Path:
    """Where a file's hashes stand: its name with ``.sha256`` behind it, in the format of sha256sum."""
    return path.with_name(path.name + ".sha256")


def checksums(path: Path) -> list[str]:
    """The hashes in a file's sidecar, empty where there is none.

    There are two while a file is being replaced by another of its name: the new one's and the old one's.
    """
    try:
        return [line.split()[0] for line in sidecar(path).read_text().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError):
        return []


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksum_matches(path: Path) -> bool:
    """Whether the file's sha256 stands in its sidecar."""
    known = checksums(path)
    try:
        return bool(known) and sha256_of(path) in known
    except OSError:
        return False
