"""Plain values and built objects held against annotations: what does not fit is named by its full path."""

from __future__ import annotations

import collections.abc
import enum
import inspect
import math
import re
import types
import typing
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from ganvas.errors import OptionError
from ganvas.functional.schedule import Schedule

_NO = object()
_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "null"}
_PLAIN = (str, int, float, bool, list, tuple, dict, type(None))
_TIME = re.compile(r"(?:(\d+):)?(\d+):([0-5]?\d):([0-5]?\d)")
_LISTS = (
    list,
    tuple,
    set,
    frozenset,
    collections.abc.Sequence,
    collections.abc.Iterable,
    collections.abc.Collection,
)


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of a function's arguments; one that cannot be resolved says nothing and is left out."""
    try:
        return typing.get_type_hints(function)
    except Exception:
        found: dict[str, Any] = {}
        names = getattr(function, "__globals__", {})
        for name, annotation in getattr(function, "__annotations__", {}).items():
            alone = types.SimpleNamespace(__annotations__={name: annotation})
            try:
                found |= typing.get_type_hints(alone, globalns=names)
            except Exception:  # a name that is there for type checkers alone
                continue
        return found


def duration(text: object) -> timedelta | None:
    """``00:30:00`` or ``01:00:00:00``, hours or days first; None where the text is neither."""
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def maybe_a_time(value: object) -> str:
    """What an error adds where a number may have been written as a time; empty elsewhere."""
    if type(value) is not int or value < 60:
        return ""
    minutes, seconds = divmod(value, 60)
    written = (
        f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}" if minutes >= 60 else f"{minutes}:{seconds:02d}"
    )
    return f"; if it is a time, write it in quotes: YAML 1.1 reads {written} without them as {value}"


def coerce(value: Any, hint: Any, path: str) -> Any:
    """``value`` as ``hint`` wants it: 1 for a float, '1e-3' for a number; anything else must fit already.

    Raises:
        OptionError: ``path``: it does not fit.
    """
    options = _options(hint)
    refused: OptionError | None = None
    for fit in (_as_it_is, _in_another_form):
        for option in options:
            try:
                found = fit(value, option, path)
            except OptionError as error:  # of an item; another option may take it
                refused = refused or error
                continue
            if found is not _NO:
                return found
    if refused is not None:
        raise refused
    raise _refusal(value, options, path)


def _options(hint: Any) -> list[Any]:
    """The members of a union, whole numbers before others: '3' is one where both fit."""
    if typing.get_origin(hint) is typing.Annotated:
        return _options(typing.get_args(hint)[0])
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        members = [option for member in typing.get_args(hint) for option in _options(member)]
        return sorted(members, key=lambda member: member is float)
    return [type(None) if hint is None else hint]


def _as_it_is(value: Any, option: Any, path: str) -> Any:
    """The value where it is of this kind already; its items may change."""
    if option is Any:
        return _finite(value, path)
    if option in _NAMES:
        return _finite(value, path) if type(value) is option else _NO
    origin, items = typing.get_origin(option), typing.get_args(option)
    if origin is typing.Literal:
        return value if any(value == one and type(value) is type(one) for one in items) else _NO
    kind = origin or option
    if not inspect.isclass(kind):
        return value  # a type variable or the like: nothing to hold against it
    if kind in _LISTS and isinstance(value, list | tuple):
        return _items(value, kind, items, path)
    if isinstance(value, dict) and items and issubclass(kind, collections.abc.Mapping):
        key, item = items
        return {coerce(k, key, path): coerce(v, item, f"{path}.{k}") for k, v in value.items()}
    return value if _is_instance(value, kind) else _NO


def _is_instance(value: Any, kind: type) -> bool:
    if kind in _LISTS and isinstance(value, str):
        return False  # a list of letters is never meant
    if kind is type:
        return inspect.isclass(value)
    if getattr(kind, "_is_protocol", False) and not getattr(kind, "_is_runtime_protocol", False):
        return not isinstance(value, _PLAIN)  # what it offers cannot be asked
    return isinstance(value, kind)


def _items(value: Sequence[Any], kind: Any, items: tuple[Any, ...], path: str) -> Any:
    make: Callable[[Any], Any] = kind if kind in (list, tuple, set, frozenset) else type(value)
    if not items:
        return make(value)
    if kind is tuple and items[-1] is not Ellipsis:
        if len(items) != len(value):
            raise OptionError(path, list(value), f"needs {len(items)} values")
    else:
        items = (items[0],) * len(value)
    return make(coerce(v, item, f"{path}[{i}]") for i, (v, item) in enumerate(zip(value, items)))


def _in_another_form(value: Any, option: Any, path: str) -> Any:
    """The value as YAML and command lines write this kind."""
    if option is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if option is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and option in (int, float):
        try:
            number = option(value)
        except ValueError:
            return _NO
        return _finite(number, path)
    if isinstance(value, str) and inspect.isclass(option):
        if issubclass(option, Path):
            return option(value)
        if issubclass(option, timedelta):
            found = duration(value)
            return _NO if found is None else found
        if issubclass(option, enum.Enum):
            named = (one for one in option if value == one.value or value.lower() == one.name.lower())
            return next(named, _NO)
    return _NO


def _refusal(value: Any, options: Sequence[Any], path: str) -> OptionError:
    is_plain = isinstance(value, _PLAIN)
    kinds = [typing.get_origin(option) or option for option in options]
    if is_plain and any(kind in _LISTS for kind in kinds):
        others = [option for option, kind in zip(options, kinds) if kind not in (*_LISTS, type(None))]
        wanted = " or ".join([*dict.fromkeys(_name(option) for option in others), "a list, e.g. [1, 2]"])
        return OptionError(path, "null" if value is None else value, f"must be {wanted}")
    wanted = " or ".join(dict.fromkeys(_name(option) for option in options))
    if not is_plain:
        shown = f"{type(value).__module__}.{type(value).__qualname__}"
        return OptionError(path, shown, f"must be {wanted}; its class needs that base")
    hint = maybe_a_time(value) if {timedelta, str} & set(options) else ""
    return OptionError(path, "null" if value is None else value, f"must be {wanted}{hint}")


def _name(option: Any) -> str:
    if option is Schedule:
        return "a schedule"
    if option is timedelta:
        return "a time, 'HH:MM:SS'"
    if typing.get_origin(option) is typing.Literal:
        return " or ".join(
            "true" if one is True else "false" if one is False else str(one)
            for one in typing.get_args(option)
        )
    kind = typing.get_origin(option) or option
    return _NAMES.get(kind) or str(getattr(kind, "__name__", option))


def _finite(value: Any, path: str) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise OptionError(path, value, "is not finite; give a finite number")
    return value
