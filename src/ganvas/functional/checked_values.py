"""Plain values of a stored state, each held to its kind: what a resumed callback or recipe takes back.

A bool is no number here, and a number no text: ``int("64")`` would take what nothing ever wrote.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

MAX_COUNT = 2**53  # of examples, batches, steps, bytes: floats are exact up to here


def entry(state: Any, name: str) -> Any:
    """What a table holds under a name.

    Raises:
        ValueError: no table, or no such entry.
    """
    if not isinstance(state, Mapping) or name not in state:
        raise ValueError(f"{name} is missing")
    return state[name]


def whole(state: Any, name: str, least: int = 0) -> int:
    """A whole number in [least, 2^53).

    Raises:
        ValueError: it is missing or anything else, by its name; so do the others.
    """
    value = entry(state, name)
    if type(value) is not int or not least <= value < MAX_COUNT:
        raise ValueError(f"{name} is {_shown(value)}, no whole number of at least {least}")
    return value


def number(state: Any, name: str, *, least: float = -math.inf, finite: bool = True) -> float:
    """A number of at least ``least``; infinite ones only where ``finite`` is false, and never NaN."""
    value = entry(state, name)
    fits = type(value) is float and not math.isnan(value) and not (finite and math.isinf(value))
    if not fits and not (type(value) is int and abs(value) < MAX_COUNT):
        raise ValueError(f"{name} is {_shown(value)}, no {'finite ' if finite else ''}number")
    if value < least:
        raise ValueError(f"{name} is {_shown(value)}, less than {least:g}")
    return float(value)


def text(state: Any, name: str, most: int = 1000) -> str:
    """A text of at most ``most`` letters."""
    value = entry(state, name)
    if not isinstance(value, str) or len(value) > most:
        raise ValueError(f"{name} is {_shown(value)}, no text of at most {most} letters")
    return value


def table(state: Any, name: str) -> dict[str, Any]:
    """A table with texts for keys."""
    value = entry(state, name)
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ValueError(f"{name} is {_shown(value)}, no table by names")
    return dict(value)


def items(state: Any, name: str) -> list[Any]:
    """A list."""
    value = entry(state, name)
    if not isinstance(value, list):
        raise ValueError(f"{name} is {_shown(value)}, no list")
    return list(value)


def _shown(value: object) -> str:
    """A value as an error shows it: of numbers themselves, of others their kind."""
    if value is None or isinstance(value, bool | int | float | str):
        try:
            return repr(value)[:40]
        except ValueError:  # a whole number of thousands of digits
            return "a number of thousands of digits"
    return f"a {type(value).__name__}"
