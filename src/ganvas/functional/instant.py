"""Instants as text: in UTC, so that they compare and sort wherever and whenever they were written."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

_STAMP = re.compile(r"(\d{8}-\d{6})Z(?![0-9A-Za-z])")


def timestamp(seconds: float | None = None) -> str:
    """``2026-11-26T05:04:34.120Z``, of seconds since 1970 in UTC; None: now. Texts sort as instants do."""
    moment = datetime.fromtimestamp(time.time() if seconds is None else seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def folder_stamp(seconds: float | None = None) -> str:
    """``20261126-050434Z``, what names of folders begin with."""
    moment = datetime.fromtimestamp(time.time() if seconds is None else seconds, UTC)
    return moment.strftime("%Y%m%d-%H%M%SZ")


def instant_of(text: object) -> float | None:
    """Seconds since 1970 of :func:`timestamp`, or of a local time with its offset (``...+0200``).

    None where the text is neither.
    """
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
        return None if moment is None or moment.tzinfo is None else moment.timestamp()
    except (ValueError, OverflowError):
        return None


def instant_of_folder(name: str) -> float | None:
    """Seconds since 1970 of a name that begins with :func:`folder_stamp`; None for any other.

    Older names have local time and no zone: several instants fit one.
    """
    found = _STAMP.match(name)
    return None if found is None else instant_of(f"{found[1].replace('-', 'T')}Z")
