"""Folders and files that are called as splits."""

from __future__ import annotations

SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def split_of(name: str) -> str | None:
    """The split that a folder's name says, in letters of any case; None where it says none."""
    return SPLIT_NAMES.get(name.casefold())
