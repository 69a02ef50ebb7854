"""Which keys of a config nothing reads: what a user writes acts or is refused.

A key is read where it reaches a constructor (it lies in a section with a ``_target_`` and is not listed
under ``_shared_``), where ganvas itself reads it (:data:`OWN`, :data:`SECTIONS`), or where the interpolation
of a key that is read names it. What a constructor does with its arguments is the part's affair. Of options of
groups: of a list each must act (:func:`check_lists`), nothing else stands in the place of one
(:func:`check_laid_aside`), and what a recipe sets of its part goes with that part (:func:`recipes_own`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ganvas.errors import OptionError, require
from ganvas.files.folders import packaged_conf
from ganvas.files.plain import load_yaml
from ganvas.run.config.allowed import RESERVED

# Keys that no constructor takes and that ganvas reads by their names.
OWN = frozenset(
    "name seed optimized_metric optimized_mode resume allow_drift allow_imports sweep.repeats "
    "paths.output_dir paths.run_dir model.main_metric model.init_from model.init_average".split()
)
SECTIONS = ("trainer", "accelerator")  # bound to typed options: a key that is none of them is refused there
_PARTS = ("data", "model", "metric.features", "metric.perceptual")
_GROUPS = ("callback", "logger", "metric.samples")  # name -> part; null leaves one out
_NAME = re.compile(r"(\.*)([A-Za-z_][\w\-]*(?:\.[\w\-]+|\[[^\[\]{}$]+\])*)")


def unread(
    tree: dict[str, Any], keys: Collection[str], *, own: Collection[str] = OWN, only_own: bool = False
) -> list[str]:
    """Those of the keys that nothing reads.

    Args:
        tree: the config as nested dicts and lists, interpolations as they are written.
        keys: with dots; of a section all that it holds is asked for.
        own: keys and sections that are read by their names.
        only_own: nothing else is, not what the run of an experiment makes into objects either.
    """
    read = _Reader(tree, own if only_own else [*own, *_made(tree)]).read
    leaves = dict.fromkeys(leaf for key in keys for leaf in leaf_keys(value_at(tree, key), key))
    return [leaf for leaf in leaves if not is_read(leaf, read)]


def is_read(key: str, read: Collection[str]) -> bool:
    """Whether the key or a section around it is read as a whole."""
    return any(head in read for head in _heads(key))


def leaf_keys(node: Any, path: str = "") -> Iterator[str]:
    """Every key below a section that holds no further ones; a list counts as one value."""
    if not isinstance(node, dict) or not node:
        yield path
        return
    for name, value in node.items():
        yield from leaf_keys(value, f"{path}.{name}".lstrip("."))


def _heads(key: str) -> Iterator[str]:
    yield key
    while "." in key:
        key = key.rpartition(".")[0]
        yield key


def value_at(tree: Any, key: str) -> Any:
    """What stands at a key with dots; None where nothing does."""
    for name in key.split("."):
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree


def _made(tree: dict[str, Any]) -> Iterator[str]:
    """The sections of an experiment that are made into objects."""
    yield from (*SECTIONS, *_PARTS)
    for group in _GROUPS:
        entries = value_at(tree, group)
        for name, node in entries.items() if isinstance(entries, dict) else ():
            if not isinstance(node, dict) or "_target_" in node:  # of others nothing is made
                yield f"{group}.{name}"


class _Reader:
    """Walks from what is read for certain along interpolations; ``read`` holds leaves and empty sections."""

    def __init__(self, tree: dict[str, Any], roots: Collection[str]) -> None:
        self.tree = tree
        self.read: set[str] = set()
        for key in roots:
            self._take(key)

    def _take(self, path: str) -> None:
        """What stands at a path is read: a value, or of a part all that its constructor takes."""
        node, names = self.tree, path.split(".")
        for number, name in enumerate(names):
            if isinstance(node, str):  # an interpolated section, of which one key is read
                head = ".".join(names[:number])
                self.read.add(head)
                self._follow(node, head, tail=names[number:])
                return
            if not isinstance(node, dict) or name not in node:
                return
            node = node[name]
        self._visit(node, path)

    def _visit(self, node: Any, path: str) -> None:
        if path in self.read:
            return
        if isinstance(node, dict):
            is_part = "_target_" in node
            skipped = set(node.get("_shared_") or ()) if is_part else set()
            if is_part and node["_target_"] is None:
                self.read.add(f"{path}._target_")
                return
            for name, value in node.items():
                if name not in skipped:
                    self._visit(value, f"{path}.{name}")
            if not node:
                self.read.add(path)
            return
        self.read.add(path)
        for value in _texts(node):
            self._follow(value, path)

    def _follow(self, text: str, path: str, tail: Sequence[str] = ()) -> None:
        """Takes every key that an interpolation names; of text outside of one nothing is asked."""
        if "${" not in text:
            return
        for dots, name in _NAME.findall(text[text.index("${") :]):
            key = re.sub(r"\[['\"]?([^\]'\"]+)['\"]?\]", r".\1", name)
            around = path.split(".")
            head = around[: len(around) - len(dots)] if dots else []
            self._take(".".join([*head, key, *tail]))


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, list):
        for value in node:
            yield from _texts(value)
    elif isinstance(node, dict):
        for value in node.values():
            yield from _texts(value)


def structure(tree: dict[str, Any]) -> list[str]:
    """The keys that must be read whoever wrote them: not shared ones, places, nor those of parts left out."""
    found: list[str] = []

    def walk(node: Any, path: str) -> None:
        if not isinstance(node, dict):
            found.append(path)
        elif node.get("_target_", "") is not None:
            shared = node.get("_shared_") or ()
            for name, value in node.items():
                if name not in RESERVED and name not in shared and path != "paths":
                    walk(value, f"{path}.{name}".lstrip("."))

    walk(tree, "")
    return found


def check_lists(tree: Mapping[str, Any], written: Mapping[str, str]) -> None:
    """Raises OptionError where a list of options holds one that would be passed over.

    Hydra lays the options of a list over each other. What is one part (it has a ``_target_``) would be the
    last of them, with what the others have and it has not. A sum has them all, each by its name.

    Args:
        tree: the composed config.
        written: key -> value of each override.
    """
    for key, value in written.items():
        group, _, place = key.partition("@")
        if value[:1] != "[" or not (packaged_conf() / group).is_dir():
            continue
        names = [name.strip(" '\"") for name in value.strip("[]").split(",") if name.strip()]
        twice = next((name for name in names if names.count(name) > 1), None)
        require(twice is None, key, value, f"names {twice} twice; leave one out")
        if len(names) < 2:
            continue
        empty = next((name for name in names if _option(group, name) in ({}, {"_target_": None})), None)
        rule = f"{empty} is nothing, and others stand beside it; leave {empty} or the others out"
        require(empty is None, key, value, rule)
        node = value_at(dict(tree), place or group.replace("/", "."))
        one = " or ".join(f"{key}={name}" for name in names)
        is_part = isinstance(node, dict) and "_target_" in node
        is_sum = isinstance(node, dict) and node.keys() == {"_target_", *names}
        rule = f"names several options, and one is taken; {one}"
        require(is_sum or not is_part, key, value, rule)


def check_laid_aside(tree: dict[str, Any], written: Mapping[str, str]) -> None:
    """Raises OptionError where a number stands in the place of an option that was chosen for it.

    A file of the experiment comes after the groups: ``lr: 1e-4`` there would pass over
    ``model/schedule@model.generator_optimizer.lr=linear``.

    Args:
        tree: the composed config.
        written: key -> value of each override.
    """
    for group, option in written.items():
        kind, _, place = group.partition("@")
        value = value_at(tree, place)
        if place and option != "null" and value is not None and not isinstance(value, (dict, str)):
            raise _laid_aside(kind, option, place, written.get(place, value), written)


def _laid_aside(kind: str, option: str, place: str, value: Any, written: Mapping[str, str]) -> OptionError:
    """The error for ``kind@place=option``, in whose place ``value`` stands."""
    settings = _option(kind, option) or {}
    needed = [name for name, usual in settings.items() if usual == "???"]
    if not needed:
        how = "leave one of them out"
    elif place in written:
        how = f"write {place}.{needed[0]}={value}"
    else:
        given = {name: name.upper() for name in needed} | {needed[0]: value}
        section = ", ".join(f"{name}: {given.get(name, usual)}" for name, usual in settings.items())
        how = f"write '{place}={{{section}}}'"
    return OptionError(f"{kind}@{place}", option, f"{place}={value} stands in its place; {how}")


def recipes_own(choices: Mapping[str, str]) -> dict[str, Any]:
    """Settings of one of ganvas's recipes or experiments about other parts than the chosen: key -> value.

    ``model=dcgan`` sets ``head.init_std``, which ``model/head=mapped`` has not: it goes with the part that it
    was written for. What it sets and the chosen part has, stays. So do ``experiment=lsgan``'s schedules.
    """
    recipe = _option("model", choices.get("model", "")) or {}
    found = _of_others({"model": recipe}, _usual(recipe, "model"), choices)
    experiment = _option("experiment", choices.get("experiment", "")) or {}
    chosen = _usual(experiment, "")
    usual = _usual(_option("model", chosen.get("model", "")) or {}, "model") | chosen
    return found | _of_others(experiment, usual, choices)


def _usual(layer: Mapping[str, Any], around: str) -> dict[str, str]:
    """Group -> option of a defaults list, of those below the group that it lies in."""
    found: dict[str, str] = {}
    for entry in layer.get("defaults", ()):
        for key, option in entry.items() if isinstance(entry, dict) else ():
            group = key.removeprefix("override ")
            found[group.lstrip("/") if not around else f"{around}/{group}"] = option
    return found


def _of_others(layer: dict[str, Any], usual: Mapping[str, str], choices: Mapping[str, str]) -> dict[str, Any]:
    """What a YAML sets of its usual parts that the chosen ones have not: key -> value."""
    found: dict[str, Any] = {}
    for group, chosen in choices.items():
        kind, _, place = group.partition("@")
        place = place or kind.replace("/", ".")
        settings = value_at(layer, place)
        if group == "model" or not isinstance(settings, dict) or chosen == usual.get(group, chosen):
            continue
        option = _option(kind, chosen)
        if option and option.get("_target_") is not None:
            there = {*option, *RESERVED}
            found |= {f"{place}.{key}": value for key, value in settings.items() if key not in there}
    return found


def options_with(key: str) -> str:
    """`` here; model/augment=ada or apa has it`` for a key of other options of a part's group; else empty."""
    names = key.split(".")
    for length in range(len(names) - 1, 1, -1):
        group = "/".join(names[:length])
        files = sorted((packaged_conf() / group).glob("*.yaml"))
        found = [path.stem for path in files if _has(_option(group, path.stem), names[length:])]
        if found:
            return f" here; {group}={' or '.join(found)} has it"
    return ""


def _has(node: Any, names: Sequence[str]) -> bool:
    for name in names:
        if not isinstance(node, dict) or name not in node:
            return False
        node = node[name]
    return True


def _option(group: str, name: str) -> dict[str, Any] | None:
    """A packaged option as it is written, {} where it holds nothing; None where it is none of ours."""
    path = packaged_conf() / group / f"{name}.yaml"
    return (load_yaml(path, group) or {}) if name and path.is_file() else None
