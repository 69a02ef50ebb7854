"""Texts that may come from anyone, as they are shown: in a terminal and in tables for spreadsheets."""

from __future__ import annotations

import csv
import os
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

_FORMULA = ("=", "+", "-", "@")  # what a spreadsheet computes, or runs
_HIDDEN = ("Cc", "Cs", "Zl", "Zp")  # controls, halves of surrogate pairs (no UTF-8), ends of lines


def one_line(text: str, longest: int = 200) -> str:
    """The text without what moves a terminal's cursor, cut off."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:longest])


def hidden_letter(text: str) -> str | None:
    """The first letter that moves a cursor, ends a line or is no character at all; None without one."""
    return next((letter for letter in text if unicodedata.category(letter) in _HIDDEN), None)


def screen_size() -> tuple[int | None, int | None]:
    """Columns and lines as COLUMNS and LINES ask for them, for rich, which takes whatever digits they hold.

    None where the variable is not set: rich asks the terminal, also later.
    """
    return _asked("COLUMNS", 80), _asked("LINES", 25)


def _asked(name: str, usual: int) -> int | None:
    text = os.environ.get(name)
    if not text:
        return None
    fits = text.isascii() and text.isdigit() and len(text) <= 4 and int(text) > 0
    return int(text) if fits else usual


def write_csv(stream: TextIO, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table of values as CSV, lines ended by ``\\n``: nothing in it moves a cursor or is a formula.

    Args:
        columns: what stands in the first line.
        rows: text, numbers, booleans or None (an empty cell), as many as columns.
    """
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(map(_cell, columns))
    writer.writerows([_cell(value) for value in row] for row in rows)


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula begins with ``'``; numbers stay numbers."""
    if value is None or isinstance(value, bool | int | float):
        return value
    text = one_line(str(value), 10_000)
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
