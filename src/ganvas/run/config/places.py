"""What a stored config may name of the machine that reads it: its own folder, and what is the caller's.

A run.yaml and a sweep.json are data that may come from anyone. Where they name a folder that would be
written, an address, or a value of the environment, that is taken out or refused by name, unless the command
line allows it. What is only read (a data set, a file of weights) may lie anywhere.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from ganvas.data.files.cache_folder import beside, holds_caches
from ganvas.errors import require
from ganvas.files.folders import expanded, packaged_conf
from ganvas.files.plain import MAX_BYTES, load_plain
from ganvas.files.read import read_bytes
from ganvas.functional.cache import cache_dir

ALLOW = "--allow-places"
_HOW = f"{ALLOW} allows it where the run is your own"
_PLACES = {"run_dir", "save_dir", "dirpath", "log_dir", "dir", "output_dir", "root_dir", "default_root_dir"}
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")  # http://, s3://, file:/
_ON_DISK = ("CSVLogger", "TensorBoardLogger")  # of Lightning's loggers; the others log to a service


def confine(config: dict[str, Any], folder: Path, written: Collection[str] = ()) -> None:
    """Takes out of a stored config, in place, what would reach beyond the run and the caller's own.

    Caches of data sets go to where caches lie already, else to the user's cache folder. Of mirrors those stay
    that the packaged config names, and of a data set's only where its folder is the caller's.

    Args:
        config: the config; its sections are dicts.
        folder: the run's folder.
        written: keys that the user has given on this command line; they may name anything.

    Raises:
        OptionError: a value that is an interpolation, or an address where none belongs: the key.
    """
    for path, value in _texts(config, ""):
        if path in written or not isinstance(value, str):
            continue
        reason = f"is an interpolation, and a stored config holds values alone; give {path}=... for it"
        require("${" not in value, path, value, reason)
        if not _is_among_mirrors(path) and not path.startswith(("callback.", "logger.")):
            reason = f"is an address, and a stored run names none; {_HOW}"
            require(_ADDRESS.match(value) is None, path, value, reason)
    for path, node in _sections(config, ""):
        if "mirrors" in node and f"{path}.mirrors" not in written:
            node["mirrors"] = _kept_mirrors(node, path, folder, written)
        if _has_cache(node) and f"{path}.cache_dir" not in written:
            node["cache_dir"] = _cache_of(node, folder)


def check_training(config: dict[str, Any], folder: Path, written: Collection[str] = ()) -> None:
    """Raises OptionError where a stored callback or logger would write or log outside of the run.

    Args:
        config: a stored config, in which the run's folder is where it lies now.
        folder: that folder.
        written: keys that the user has given on this command line.
    """
    inside = folder.resolve()
    for section in ("callback", "logger"):
        for path, value in _texts(config.get(section), section):
            if path in written or _is_among_mirrors(path):
                continue
            how = f"where that is wanted, give {path}={value}"
            name = path.rpartition(".")[2].partition("[")[0]
            address = _ADDRESS.match(value) is not None or "://" in value
            require(not address, path, value, f"is an address, and a stored run names none; {how}")
            points_out = ".." in Path(value).parts or value.startswith(("/", "~"))
            if not points_out and name not in _PLACES:
                continue
            here = expanded(value, path).resolve().is_relative_to(inside)
            require(here or _only_read(path), path, value, f"lies outside of the run's folder; {how}")
    for path, node in _sections(config.get("logger"), "logger"):
        target = str(node.get("_target_"))
        name = target.rpartition(".")[2]
        given = any(key.startswith(f"{path}.") for key in written)
        is_service = target.startswith("pytorch_lightning.loggers.") and name not in _ON_DISK
        reason = f"logs to a service; where that is wanted, give a key of {path}, or {ALLOW}"
        require(not is_service or given, f"{path}._target_", target, reason)


def _kept_mirrors(node: dict[str, Any], path: str, folder: Path, written: Collection[str]) -> Any:
    """The addresses that may be asked; a data set's files would be written into its folder."""
    mirrors = node["mirrors"]
    if not isinstance(mirrors, list) or not mirrors:
        return mirrors if mirrors is None else []
    root = node.get("root")
    is_own = root is None or f"{path}.root" in written or _is_own(root, folder, data=True)
    return [one for one in mirrors if isinstance(one, str) and one in _packaged_mirrors()] if is_own else []


@functools.cache
def _packaged_mirrors() -> frozenset[str]:
    """Every address that the packaged config groups name; what comes from there has a pinned hash."""
    found: set[str] = set()
    for path in packaged_conf().rglob("*.yaml"):
        if b"\nmirrors:" in read_bytes(path, MAX_BYTES):
            found.update(load_plain(path, "mirrors")["mirrors"])
    return frozenset(found)


def _has_cache(node: dict[str, Any]) -> bool:
    """Whether the part that a section makes keeps a cache of its data."""
    if "cache_dir" in node:
        return True
    module, _, name = str(node.get("_target_")).rpartition(".")
    if not module.startswith("ganvas.data."):
        return False
    try:
        return "cache_dir" in inspect.signature(getattr(importlib.import_module(module), name)).parameters
    except (ImportError, AttributeError, TypeError, ValueError):
        return False  # the build says what is wrong with it


def _cache_of(node: dict[str, Any], folder: Path) -> str | None:
    """The folder of caches that is meant, where it is one already; else the user's."""
    asked, root = node.get("cache_dir"), node.get("root")
    if isinstance(asked, str):
        place = expanded(asked, "data.cache_dir")
        if holds_caches(place) or _is_own(asked, folder):
            return asked
    elif isinstance(root, str):
        place = beside(expanded(root, "data.root"))
        if place.is_dir() or _is_own(place, folder):
            return None
    return str(cache_dir())


def _is_own(path: Any, folder: Path, *, data: bool = False) -> bool:
    """Whether a folder is below the run's, or is the caller's: its caches, and its data sets."""
    if not isinstance(path, str | Path):
        return False
    own = [folder, cache_dir()]
    if data:
        own.append(expanded(os.environ.get("GANVAS_DATA") or "./data", "GANVAS_DATA"))
    place = expanded(path, "data.root").resolve()
    return any(place.is_relative_to(one.resolve()) for one in own)


def _is_among_mirrors(path: str) -> bool:
    return re.search(r"\.mirrors\[\d+\]$", path) is not None


def _only_read(path: str) -> bool:
    """Whether the key belongs to a feature extractor, which reads its weights and writes nothing."""
    return ".features." in path


def _sections(node: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every dict in a tree, with its path."""
    if isinstance(node, dict):
        yield path, node
        for key, value in node.items():
            yield from _sections(value, f"{path}.{key}".lstrip("."))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _sections(value, f"{path}[{index}]")


def _texts(node: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every text in a tree but the names of code, with its path."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _texts(value, f"{path}.{key}".lstrip("."))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _texts(value, f"{path}[{index}]")
    elif isinstance(node, str) and not path.endswith("._target_"):
        yield path, node
