"""A composed config as what differs from another one: thousands of jobs share all but a few values."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

RUN_DIR = "<run>"  # stands for the run's folder in a frozen config: a sweep may be moved
# Where a run lies and what it runs on; it is the same experiment elsewhere (see accelerator/auto.yaml).
_MACHINE = re.compile(
    r"^(?:paths|accelerator|allow_imports|resume|data\.(?:root|num_workers|mirrors))(?:\.|$)"
)


def changes(base: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """What makes ``other`` of ``base``: ``{"set": [[path, value], ...], "unset": [path, ...]}``.

    A path is a list of keys: a key may hold a dot.
    """
    found: dict[str, Any] = {"set": [], "unset": []}
    _walk(base, other, [], found)
    return found


def _walk(base: Mapping[str, Any], other: Mapping[str, Any], path: list[str], found: dict[str, Any]) -> None:
    for key in base.keys() - other.keys():
        found["unset"].append([*path, key])
    for key, value in other.items():
        if key in base and isinstance(base[key], Mapping) and isinstance(value, Mapping):
            _walk(base[key], value, [*path, key], found)
        elif key not in base or type(base[key]) is not type(value) or base[key] != value:
            found["set"].append([[*path, key], value])


def changed(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of ``base`` with :func:`changes` made to it."""
    tree: dict[str, Any] = copy.deepcopy(dict(base))
    for path in change.get("unset") or ():
        _node(tree, path).pop(path[-1], None)
    for path, value in change.get("set") or ():
        _node(tree, path)[path[-1]] = copy.deepcopy(value)
    return tree


def placed(tree: Any, folders: Mapping[str, str]) -> Any:
    """A copy of a frozen config with folders for what stands for them, e.g. for :data:`RUN_DIR`."""
    if isinstance(tree, dict):
        return {key: placed(value, folders) for key, value in tree.items()}
    if isinstance(tree, list):
        return [placed(value, folders) for value in tree]
    if isinstance(tree, str):
        for name, folder in folders.items():
            tree = tree.replace(name, folder)
    return tree


def _node(tree: dict[str, Any], path: list[str]) -> dict[str, Any]:
    for key in path[:-1]:
        tree = tree.setdefault(key, {})
    return tree


def config_key(config: Mapping[str, Any]) -> str:
    """Sixteen hexadecimal letters: the hash of a config without the keys of place and machine."""
    text = json.dumps(_without_machine(config, ""), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _without_machine(tree: Any, path: str) -> Any:
    if not isinstance(tree, Mapping):
        return tree
    named = {key: f"{path}.{key}".lstrip(".") for key in tree}
    kept = {key: name for key, name in named.items() if not _MACHINE.match(name)}
    return {key: _without_machine(tree[key], name) for key, name in kept.items()}
