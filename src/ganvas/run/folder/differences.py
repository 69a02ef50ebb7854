"""Leaves in which two trees of plain values differ, as configs of runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ganvas.errors import REDACTED


def differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(key, old value, new value) of every leaf that is not the same; an absent one is None."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from differences(old.get(key), new.get(key), f"{path}.{key}".lstrip("."))
    elif old != new and not (isinstance(old, str) and REDACTED in old):
        yield path, old, new
