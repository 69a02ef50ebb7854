"""What a file that may come from anyone holds, held against what its readers take.

A schema is a table: key -> kind. A kind is a function that says whether a value is of it. A reader with a
schema either gets values that it can count on, or one line that says what is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

Kind = Callable[[Any], bool]

_MOST = 2**63


def is_text(value: Any) -> bool:
    return isinstance(value, str)


def is_count(value: Any) -> bool:
    """A whole number in [0, 2^63); True and False are none."""
    return type(value) is int and 0 <= value < _MOST


def is_whole(value: Any) -> bool:
    """A whole number of 64 bits."""
    return type(value) is int and -_MOST <= value < _MOST


def is_number(value: Any) -> bool:
    """A number that a float can hold, or one that is not finite; True and False are none."""
    return type(value) is float or is_whole(value)


def is_finite(value: Any) -> bool:
    return is_number(value) and math.isfinite(value)


def anything(_: Any) -> bool:
    return True


def maybe(kind: Kind) -> Kind:
    """Of the kind, or None."""
    return lambda value: value is None or kind(value)


def one_of(*values: Any) -> Kind:
    return lambda value: isinstance(value, str) and value in values


def listing(kind: Kind) -> Kind:
    """A list of values of the kind."""
    return lambda value: isinstance(value, list) and all(map(kind, value))


def mapping(kind: Kind) -> Kind:
    """An object with any keys and values of the kind."""
    return lambda value: isinstance(value, dict) and all(map(kind, value.values()))


def section(needed: Mapping[str, Kind], others: Mapping[str, Kind] | None = None) -> Kind:
    """An object for which :func:`misfit` has nothing to say."""
    return lambda value: misfit(value, needed, others) is None


def misfit(value: Any, needed: Mapping[str, Kind], others: Mapping[str, Kind] | None = None) -> str | None:
    """What is wrong with an object, in words; None where nothing is.

    Args:
        needed: keys that it must have.
        others: keys that it may have; what it has besides is nobody's business.
    """
    if not isinstance(value, dict):
        return "it is no object"
    for key, kind in needed.items():
        if key not in value:
            return f"it has no {key}"
        if not kind(value[key]):
            return f"its {key} is of another kind"
    for key, kind in (others or {}).items():
        if key in value and not kind(value[key]):
            return f"its {key} is of another kind"
    return None
