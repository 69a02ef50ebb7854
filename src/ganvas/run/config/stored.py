"""A RUN's config read back as what it is: data that may come from anyone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ganvas.errors import require
from ganvas.run.config.allowed import check_kinds, check_targets
from ganvas.run.config.places import confine
from ganvas.run.folder.links import check_tree
from ganvas.run.folder.run_folder import TOKENIZER, RunFolder

_SECTIONS = ("paths", "data", "model", "trainer", "accelerator")
_READ_FROM = ("root", "cache_dir")  # folders that every data module may have


def read_stored(
    folder: RunFolder, allow: Sequence[str] = (), *, trains: bool = False, written: Sequence[str] = ()
) -> dict[str, Any]:
    """run.yaml, with every section there and every name in it on the allow-list; ``allow`` adds to that.

    A relative ``data.root`` that is not found from here is the one in the folder where the run was trained.
    What it names beyond the run's folder and the caller's own is gone, or refused (see
    :mod:`ganvas.run.config.places`), unless ``folder.allows_places``.

    What the config itself says under ``allow_imports`` counts for nothing: who gives the command allows.

    Args:
        folder: the run.
        allow: the user's own modules that it may name.
        trains: whether it is to be trained on; else its callbacks and loggers are left out.
        written: keys that the command line gives other values.

    Raises:
        OptionError: ``RUN`` where a section is missing or a file leads elsewhere; a key of the config that
            names foreign code, or what the machine that reads it has not allowed.
    """
    run = folder.read_run()
    check_tree(folder.path, "RUN")
    config = run["config"]
    for name in _SECTIONS:
        require(
            isinstance(config.get(name), dict),
            "RUN",
            folder.path,
            f"its run.yaml has no section {name}; put a copy back",
        )
    for name in ("logger", "callback"):
        sections = config.get(name)
        entries = sections.values() if isinstance(sections, dict) else [sections]
        fits = all(entry is None or isinstance(entry, dict) for entry in entries)
        require(
            fits,
            "RUN",
            folder.path,
            f"the section {name} of its run.yaml is of another shape; put a copy back",
        )
    require(
        isinstance(run.get("ganvas"), dict),
        "RUN",
        folder.path,
        "its run.yaml has no section ganvas; put a copy back",
    )
    run_dir = config["paths"].get("run_dir")
    require(
        isinstance(run_dir, str), "RUN", folder.path, "its run.yaml names no paths.run_dir; put a copy back"
    )
    check_targets(config, allow)
    check_kinds(config)
    _find_data(config["data"], run["ganvas"].get("cwd"))
    own = folder.path / TOKENIZER
    if config["data"].get("tokenizer") is not None and own.is_dir():
        reason = "is part of the run, which goes on with its own; train another run with it"
        require("data.tokenizer" not in written, "data.tokenizer", "", reason)
        config["data"]["tokenizer"] = str(own)
    if not trains:
        config |= {"callback": {}, "logger": {}}
    if not folder.allows_places:
        confine(config, folder.path, written)
    return run


def _find_data(data: dict[str, Any], trained_in: Any) -> None:
    """Makes relative folders of the data absolute where the folder of training has them, not this one."""
    for key in _READ_FROM:
        value = data.get(key)
        if not isinstance(value, str) or not isinstance(trained_in, str) or value.startswith(("/", "~")):
            continue
        there = os.path.join(trained_in, value)
        if os.path.isabs(trained_in) and not os.path.exists(value) and os.path.exists(there):
            data[key] = there


def relocate_paths(tree: Any, old: str, new: str) -> Any:
    """A copy in which the run's folder is where it lies now, whatever folder it was trained in."""
    if isinstance(tree, dict):
        return {key: relocate_paths(value, old, new) for key, value in tree.items()}
    if isinstance(tree, list):
        return [relocate_paths(value, old, new) for value in tree]
    if isinstance(tree, str) and (tree == old or tree.startswith(old + "/")):
        return new + tree[len(old) :]
    return tree
