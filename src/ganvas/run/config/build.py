"""From plain values to objects: what a config's ``_target_`` names, checked before anything is imported.

The values come from a composed config or from a RUN's run.yaml; what either may name is said in
:mod:`ganvas.run.config.allowed`. Every call is bound to its signature and every value held against its
annotation, so that a wrong option is named by its full path before training begins.
"""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from ganvas.errors import OptionError
from ganvas.functional.schedule import Schedule
from ganvas.run.config.allowed import ALLOWED, RESERVED, check_targets, locate
from ganvas.run.config.coerce import coerce, hints_of

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
    hints = hints_of(target.__init__ if inspect.isclass(target) else target)
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
    moves = partial and _makes_optimizer(target)
    return {
        name: value
        if moves and isinstance(value, Schedule)
        else _held(value, hints.get(name), f"{path}.{name}")
        for name, value in arguments.items()
    }


def _held(value: Any, hint: Any, path: str) -> Any:
    if hint is None:
        return value
    try:
        return coerce(value, hint, path)
    except OptionError as error:
        if isinstance(value, Schedule):
            raise OptionError(path, type(value).__name__, "does not move with a schedule") from None
        raise error


def _makes_optimizer(target: Callable[..., Any]) -> bool:
    """Whether its numbers may be schedules, which a recipe follows."""
    from torch.optim import Optimizer  # late: commands hold options against signatures before torch is there

    made = target if inspect.isclass(target) else hints_of(target).get("return")
    return inspect.isclass(made) and issubclass(made, Optimizer)


def nearest(name: str, known: Sequence[str]) -> str:
    """``; did you mean X?`` or the list of what there is."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else "; there are: " + ", ".join(sorted(known))


_PLAIN = (str, int, float, bool, list, tuple, dict, type(None))
