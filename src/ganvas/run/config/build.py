"""From plain values to objects: what a config's ``_target_`` names, checked before anything is imported.

The values come from a composed config or from a RUN's run.yaml; what either may name is said in
:mod:`ganvas.run.config.allowed`. Every call is bound to its signature and every value held against its
annotation, so that a wrong option is named by its full path before training begins.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import math
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any

from ganvas.errors import OptionError
from ganvas.run.config.allowed import ALLOWED, RESERVED, check_targets, locate

__all__ = ["bind", "build", "check_targets", "coerce", "nearest"]


def build(node: dict[str, Any], path: str) -> Any:
    """The object that a config node describes; nested nodes are built first.

    Args:
        node: ``_target_`` and arguments; ``_partial_`` leaves the call to the receiver; ``_shared_`` lists
            keys that are there for interpolation alone. ``_target_: null`` is None.
        path: the node's place in the config, e.g. ``model.quantizer``, for errors.

    Raises:
        OptionError: unknown key, missing or mistyped value, or whatever the constructor refuses.
    """
    if node.get("_target_") is None:
        return None
    target = locate(node["_target_"], path)
    shared = set(node.get("_shared_") or ())
    arguments = {
        key: _build_value(value, f"{path}.{key}")
        for key, value in node.items()
        if key not in RESERVED and key not in shared
    }
    arguments = bind(target, arguments, path, partial=bool(node.get("_partial_")))
    if node.get("_partial_"):
        return functools.partial(target, **arguments)
    try:
        return target(**arguments)
    except OptionError as error:
        raise (error if error.option.startswith(f"{path}.") else error.under(path)) from error
    except Exception as error:
        if node["_target_"].startswith("ganvas.") or not node["_target_"].startswith(ALLOWED):
            raise  # a part's own fault, which its author wants to see
        name, reason = node["_target_"], f"{type(error).__name__}: {error}"
        raise OptionError(path, name, f"cannot be made ({reason}); see its options") from error


def _build_value(value: Any, path: str) -> Any:
    if isinstance(value, dict):
        if "_target_" in value:
            return build(value, path)
        return {key: _build_value(item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [_build_value(item, f"{path}[{index}]") for index, item in enumerate(value)]
    return value


def bind(
    target: Callable[..., Any], arguments: dict[str, Any], path: str, *, partial: bool = False
) -> dict[str, Any]:
    """The arguments, each held against the signature and its annotation, quoted numbers made numbers.

    Raises:
        OptionError: unknown (with the nearest name), missing, or of a wrong type.
    """
    signature = inspect.signature(target)
    try:
        hints = typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
    except (NameError, TypeError):  # a user's own annotation that cannot be resolved says nothing
        hints = {}
    takes_any = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    known = [n for n, p in signature.parameters.items() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    for name, value in arguments.items():
        if name not in known and not takes_any:
            shown = value if isinstance(value, _PLAIN) else type(value).__name__
            raise OptionError(f"{path}.{name}", shown, f"is not an option of {path}" + nearest(name, known))
    if not partial:
        for name, parameter in signature.parameters.items():
            if name in known and name not in arguments and parameter.default is parameter.empty:
                raise OptionError(f"{path}.{name}", "", f"is missing; give {path}.{name}=VALUE")
    return {
        name: coerce(value, hints[name], f"{path}.{name}") if name in hints else value
        for name, value in arguments.items()
    }


def nearest(name: str, known: Sequence[str]) -> str:
    """``; did you mean X?`` or the list of what there is."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else "; there are: " + ", ".join(sorted(known))


_PLAIN = (str, int, float, bool, list, tuple, dict, type(None))
_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "null"}


def coerce(value: Any, hint: Any, path: str) -> Any:
    """``value`` as ``hint`` wants it: 1 for a float, '1e-3' for a number; anything else must fit already."""
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if typing.get_origin(hint) is typing.Union:
        options = typing.get_args(hint)
    plain = [option for option in options if option in _NAMES]
    origins = {typing.get_origin(option) for option in options} | set(options)
    if isinstance(value, list | tuple):
        for option in options:
            if typing.get_origin(option) in (list, tuple) and typing.get_args(option):
                return _coerce_list(value, option, path)
        if not plain or not origins.isdisjoint({list, tuple}) or len(plain) < len(options):
            return value
    elif len(plain) < len(options) and not isinstance(value, str | int | float | bool | type(None)):
        return value  # an object made by a nested node: the receiver knows what it needs
    if len(plain) == len(options) or isinstance(value, str | int | float | bool | type(None)):
        return _coerce_plain(value, options, path)
    return value


def _coerce_list(value: Sequence[Any], option: Any, path: str) -> Any:
    items, make = typing.get_args(option), typing.get_origin(option)
    if make is tuple and items[-1] is not Ellipsis:
        if len(items) != len(value):
            raise OptionError(path, list(value), f"needs {len(items)} values")
    else:
        items = (items[0],) * len(value)
    return make(coerce(v, item, f"{path}[{i}]") for i, (v, item) in enumerate(zip(value, items)))


def _coerce_plain(value: Any, options: Sequence[Any], path: str) -> Any:
    if Any in options or type(value) in options:
        return _finite(value, path)
    if float in options and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if int in options and isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and str not in options:
        for number in (int, float):
            if number in options:
                try:
                    return _finite(number(value), path)
                except ValueError as error:
                    if isinstance(error, OptionError):
                        raise
    if value is None and (type(None) in options or None in options):
        return None
    if any(option not in _NAMES for option in options) and value is not None:
        if any(typing.get_origin(option) in (list, tuple) for option in options):
            raise OptionError(path, value, "must be a list, e.g. [1, 2]")
        if any(inspect.isclass(option) and isinstance(value, option) for option in options):
            return value
    wanted = " or ".join(_NAMES.get(option, getattr(option, "__name__", str(option))) for option in options)
    raise OptionError(path, "null" if value is None else value, f"must be {wanted}")


def _finite(value: Any, path: str) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise OptionError(path, value, "is not finite; give a finite number")
    return value
