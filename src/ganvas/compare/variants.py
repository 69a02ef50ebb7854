"""Runs that differ by their seed alone are one variant; and what tells variants apart, in short."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ganvas.errors import OptionError

# Of a config, what decides what is trained. The rest is where files lie, what is watched and written beside
# training, and the machine.
_TRAINED = re.compile(
    r"""^(?:
      model\..* | data\..*
    | trainer\.(?:max_examples|max_epochs|max_steps|max_time|limit_train_batches|overfit_batches|fast_dev_run)
    | accelerator\.(?:precision|sync_batchnorm)
    )$""",
    re.VERBOSE,
)
_NOT_TRAINED = re.compile(
    r"(?:.*\.)?seed|.*\._shared_|model\.main_metric|data\.(?:root|num_workers|mirrors|cache_dir)(?:\..*)?"
)
_MOST_KEYS = 4  # that a label lists
_LONGEST = 40  # letters of a value in a label
_MAX_DEPTH = 32


def trained(run: Mapping[str, Any]) -> dict[str, str]:
    """Dotted key -> value as JSON of all that decides what a run.yaml's training results in, but the seed.

    The sizes of the splits, as they were read, stand for the data's folder; they are left out of a comparison
    with runs that did not record them (:func:`group`).
    """
    leaves: dict[str, str] = {}
    _flatten(
        "", {key: run["config"].get(key) for key in ("model", "data", "trainer", "accelerator")}, leaves, 0
    )
    kept = {key: x for key, x in leaves.items() if _TRAINED.match(key) and not _NOT_TRAINED.fullmatch(key)}
    sizes: dict[str, str] = {}
    _flatten("data.splits", _deep(run, "ganvas", "environment", "data", "splits"), sizes, 0)
    return dict(sorted((kept | sizes).items()))


def group(runs: Sequence[Mapping[str, Any]]) -> tuple[list[int], list[str]]:
    """The variant of each run.yaml, as an index into the labels of the variants, in order of appearance."""
    first: dict[tuple[tuple[str, str], ...], Mapping[str, Any]] = {}
    if not all(_deep(run, "ganvas", "environment", "data", "splits") for run in runs):
        runs = [{"config": run["config"], "ganvas": {"choices": _choices(run)}} for run in runs]
    keys = [tuple(trained(run).items()) for run in runs]
    for key, run in zip(keys, runs, strict=True):
        first.setdefault(key, run)
    order = list(first)
    return [order.index(key) for key in keys], labels(list(first.values()))


def labels(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """A short name for each variant, given a run.yaml of each; no two are equal.

    What differs: first the choices of groups (``model=dcgan``), then single keys; where nothing does, model
    and data.
    """
    if len(runs) == 1:
        choices = _choices(runs[0])
        return [f"{choices.get('model', 'model')}-{choices.get('data', 'data')}"]
    return _apart([(trained(run), _choices(run)) for run in runs])


def _apart(variants: list[tuple[dict[str, str], dict[str, str]]]) -> list[str]:
    tables, choices = [one for one, _ in variants], [one for _, one in variants]
    groups: list[str] = []
    for key in sorted(_differing(choices), key=lambda one: (len(_path(one)), one)):
        path = _path(key)
        inside = any(path == x or path.startswith(f"{x}.") for x in map(_path, groups))
        if path.partition(".")[0] in ("model", "data") and not inside:
            groups.append(key)
    covered = tuple(f"{_path(key)}." for key in groups)
    keys = [key for key in _differing(tables) if not key.startswith(covered)]
    named = [
        ", ".join(
            [f"{_path(key)}={_short(choice.get(key))}" for key in groups]
            + [f"{key.removesuffix('._target_')}={_value(table.get(key))}" for key in keys[:_MOST_KEYS]]
        )
        for table, choice in variants
    ]
    return [_tell_apart(index, named, variants) for index in range(len(named))]


def _tell_apart(index: int, named: list[str], variants: list[tuple[dict[str, str], dict[str, str]]]) -> str:
    """The name, with what differs among those that share it."""
    same = [i for i, name in enumerate(named) if name == named[index]]
    if len(same) == 1:
        return named[index]
    if len(same) < len(named):
        inner = _apart([variants[i] for i in same])[same.index(index)]
        return f"{named[index]}, {inner}"
    text = json.dumps([variants[index][0], variants[index][1]], sort_keys=True)
    return f"{named[index]} #{hashlib.sha256(text.encode()).hexdigest()[:6]}".strip()


def _differing(tables: Sequence[Mapping[str, str]]) -> list[str]:
    keys = dict.fromkeys(key for table in tables for key in table)
    return [key for key in keys if len({table.get(key) for table in tables}) > 1]


def _choices(run: Mapping[str, Any]) -> dict[str, str]:
    choices = _deep(run, "ganvas", "choices")
    return {str(key): str(value) for key, value in choices.items()} if isinstance(choices, dict) else {}


def _path(choice: str) -> str:
    """Where a group's choice lies in the config, e.g. ``model/optimizer@model.g`` at model.g."""
    group, _, package = choice.partition("@")
    return package or group.replace("/", ".")


def _value(text: str | None) -> str:
    """A leaf for people; a ``_target_`` by its last name."""
    value = json.loads(text) if text is not None else None
    text = value if isinstance(value, str) else json.dumps(value)
    return _short(text.rpartition(".")[2] if text.startswith("ganvas.") else text)


def _short(text: Any) -> str:
    text = "none" if text is None else str(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _flatten(path: str, node: Any, leaves: dict[str, str], depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise OptionError("RUN", path[:80], "its run.yaml is nested too deeply; put a copy back")
    if isinstance(node, dict):
        for key, value in node.items():
            _flatten(f"{path}.{key}".lstrip("."), value, leaves, depth + 1)
    else:
        leaves[path] = json.dumps(node)


def _deep(node: Any, *keys: str) -> Any:
    for key in keys:
        node = node.get(key) if isinstance(node, dict) else None
    return node if node is not None else {}
