"""Texts that may come from anyone, as they are shown: in a terminal and in tables for spreadsheets."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

# What a spreadsheet computes, or runs; the last four are the wide ones of Chinese and Japanese keyboards.
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_HIDDEN = ("Cc", "Cs", "Zl", "Zp")  # controls, halves of surrogate pairs (no UTF-8), ends of lines
_LONGEST = 20_000  # letters of a line


def one_line(text: str, longest: int = 200) -> str:
    """The text without what moves a terminal's cursor, cut off."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:longest])


def with_article(name: str) -> str:
    """``an image``, ``a sound``."""
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def data_uri(media: str, content: bytes) -> str:
    """A file's content in a data URI, e.g. of ``image/png``."""
    return f"data:{media};base64,{base64.b64encode(content).decode()}"


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


def say(*texts: object, error: bool = False, flush: bool = False) -> None:
    """Prints one line, whatever stands in the texts; they are parted by spaces.

    This, :func:`say_page` and :func:`say_json` are the only ways to standard output and error, beside rich's
    (``ganvas.cli.terminal``) and the log's: names, options, records and errors may come from anyone.

    Args:
        error: to standard error.
    """
    text = one_line(" ".join(map(str, texts)), _LONGEST)
    print(text, file=sys.stderr if error else sys.stdout, flush=flush)


def say_page(text: str, *, error: bool = False, flush: bool = False) -> None:
    """Prints a text of several lines, such as a help or a traceback; it ends with one line's end."""
    page = "".join(letter if letter.isprintable() or letter in "\n\t" else "?" for letter in text)
    print(page.removesuffix("\n"), file=sys.stderr if error else sys.stdout, flush=flush)


def say_json(value: Any, *, indent: int | None = None) -> None:
    """Prints plain values as strict JSON in ASCII; a number that is not finite becomes null."""
    print(json.dumps(_strict(value), indent=indent, allow_nan=False))


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _strict(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table of values as CSV, lines ended by ``\\n``: nothing in it moves a cursor or is a formula.

    Args:
        columns: what stands in the first line.
        rows: text, numbers, booleans or None, as many as columns; None and numbers that are not finite are
            empty cells.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(map(_cell, columns))
    writer.writerows([_cell(value) for value in row] for row in rows)
    return stream.getvalue()


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula begins with ``'``; numbers stay numbers."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float):
        return value
    text = one_line(str(value), 10_000)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
