"""The sha256 beside a checkpoint: whether a file is what was written."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ganvas.files.read import open_regular, read_bytes

_MAX_SIDECAR = 4096  # bytes; two hashes and two names have some 600


def sidecar(path: Path) -> Path:
    """Where a file's hashes stand: its name with ``.sha256`` behind it, in the format of sha256sum."""
    return path.with_name(path.name + ".sha256")


def checksums(path: Path) -> list[str]:
    """The hashes in a file's sidecar, empty where there is none, or what is there is no sidecar.

    There are two while a file is being replaced by another of its name: the new one's and the old one's.
    """
    try:
        text = read_bytes(sidecar(path), _MAX_SIDECAR).decode()
    except (OSError, ValueError):
        return []
    return [line.split()[0] for line in text.splitlines() if line.strip()]


def sha256_of(path: Path) -> str:
    """The sha256 of a regular file.

    Raises:
        OSError: it is none, or cannot be read.
    """
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksum_matches(path: Path) -> bool:
    """Whether the file's sha256 stands in its sidecar."""
    known = checksums(path)
    try:
        return bool(known) and sha256_of(path) in known
    except OSError:
        return False
