"""Looking for numbers that are not finite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor


def non_finite_name(state: Mapping[Any, Any]) -> str | None:
    """Dotted name of the first floating or complex tensor that holds NaN or infinity, or None.

    Args:
        state: nested mappings, lists and tuples, e.g. a checkpoint; what is no tensor is passed over. An item
            of a list goes by its number: ``optimizer_states.0.state.3.exp_avg``.
    """
    for name, tensor in _floating(state, ""):
        if not is_finite(tensor):
            return name
    return None


def is_finite(tensor: Tensor) -> bool:
    """Whether a floating or complex tensor holds neither NaN nor infinity."""
    # A sum is finite only where all its terms are, and takes one pass; one that overflows says nothing.
    return bool(tensor.sum().isfinite()) or bool(tensor.isfinite().all())


def _floating(value: Any, name: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        if value.is_floating_point() or value.is_complex():
            yield name, value
        return
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if _is_list(value) else ()
    for key, item in items:
        yield from _floating(item, f"{name}.{key}" if name else str(key))


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)
