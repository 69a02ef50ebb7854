"""Runs that differ by their seed alone are one variant; and what tells variants apart, in short."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

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
        said = [{"choices": _choices(run), "overrides": sorted(_written(run))} for run in runs]
        runs = [{"config": run["config"], "ganvas": own} for run, own in zip(runs, said, strict=True)]
    keys = [tuple(trained(run).items()) for run in runs]
    for key, run in zip(keys, runs, strict=True):
        first.setdefault(key, run)
    order = list(first)
    return [order.index(key) for key in keys], labels(list(first.values()))


def labels(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """A short name for each variant, given a run.yaml of each; no two are equal.

    What differs: first the choices of groups (``model=dcgan``), then the keys that somebody wrote on a
    command line, then others only as far as they are needed to tell variants apart; where nothing differs,
    model and data. A key that a variant does not have is not named for it.
    """
    if len(runs) == 1:
        choices = _choices(runs[0])
        return [f"{choices.get('model', 'model')}-{choices.get('data', 'data')}"]
    return _apart([_Named(trained(run), _choices(run), _written(run)) for run in runs])


class _Named(NamedTuple):
    """What a label is made of: what decides training, the groups' choices, the keys of the command line."""

    table: dict[str, str]
    choices: dict[str, str]
    written: frozenset[str]


def _apart(variants: list[_Named]) -> list[str]:
    choices = [one.choices for one in variants]
    groups: list[str] = []
    for key in sorted(_differing(choices), key=lambda one: (len(_path(one)), one)):
        path = _path(key)
        inside = any(path == x or path.startswith(f"{x}.") for x in map(_path, groups))
        if path.partition(".")[0] in ("model", "data") and not inside:
            groups.append(key)
    keys = _telling(variants, groups)
    named = [
        ", ".join(
            [f"{_path(key)}={_short(one.choices.get(key))}" for key in groups]
            + [f"{_name(key)}={_value(one.table[key])}" for key in keys if key in one.table]
        )
        for one in variants
    ]
    if "" in named:  # it lacks what the others have: that is what tells it
        named[named.index("")] = ", ".join(f"{_name(key)}=none" for key in keys)
    return [_tell_apart(index, named, variants) for index in range(len(named))]


def _telling(variants: Sequence[_Named], groups: Sequence[str]) -> list[str]:
    """The single keys of a label: those somebody wrote, and of the others each that tells more apart."""
    differing = _differing([one.table for one in variants])
    written = frozenset().union(*(one.written for one in variants))
    keys = [key for key in differing if _name(key) in written][:_MOST_KEYS]
    covered = tuple(f"{_path(key)}." for key in groups)
    others = [key for key in differing if key not in keys and not key.startswith(covered)]

    def kinds(keys: Sequence[str]) -> int:
        told = (
            (*(one.choices.get(key) for key in groups), *(one.table.get(key) for key in keys))
            for one in variants
        )
        return len(set(told))

    for key in sorted(others, key=lambda one: one.startswith("data.splits.")):
        if len(keys) < _MOST_KEYS and kinds([*keys, key]) > kinds(keys):
            keys.append(key)
    return keys


def _tell_apart(index: int, named: list[str], variants: list[_Named]) -> str:
    """The name, with what differs among those that share it."""
    same = [i for i, name in enumerate(named) if name == named[index]]
    if len(same) == 1:
        return named[index]
    if len(same) < len(named):
        inner = _apart([variants[i] for i in same])[same.index(index)]
        return f"{named[index]}, {inner}"
    text = json.dumps([variants[index].table, variants[index].choices], sort_keys=True)
    return f"{named[index]} #{hashlib.sha256(text.encode()).hexdigest()[:6]}".strip()


def _differing(tables: Sequence[Mapping[str, str]]) -> list[str]:
    keys = dict.fromkeys(key for table in tables for key in table)
    return [key for key in keys if len({table.get(key) for table in tables}) > 1]


def _choices(run: Mapping[str, Any]) -> dict[str, str]:
    choices = _deep(run, "ganvas", "choices")
    return {str(key): str(value) for key, value in choices.items()} if isinstance(choices, dict) else {}


def _written(run: Mapping[str, Any]) -> frozenset[str]:
    """The keys, without groups, of the overrides that made a run."""
    overrides = _deep(run, "ganvas", "overrides")
    words = [one for one in overrides if isinstance(one, str)] if isinstance(overrides, list) else []
    keys = (word.lstrip("+~").partition("=")[0] for word in words)
    return frozenset(key for key in keys if "/" not in key and "@" not in key)


def _path(choice: str) -> str:
    """Where a group's choice lies in the config, e.g. ``model/optimizer@model.g`` at model.g."""
    group, _, package = choice.partition("@")
    return package or group.replace("/", ".")


def _name(key: str) -> str:
    """A leaf's key for people: a class stands for its part."""
    return key.removesuffix("._target_")


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
