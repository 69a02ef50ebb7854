"""A RUN's config read back as what it is: data that may come from anyone."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from ganvas.errors import require
from ganvas.run.config.allowed import check_kinds, check_targets
from ganvas.run.folder.run_folder import RunFolder

_SECTIONS = ("paths", "data", "model", "trainer", "accelerator")
_READ_FROM = ("root", "cache_dir")  # folders that every data module may have
_PLACES = {"run_dir", "save_dir", "dirpath", "log_dir", "dir", "output_dir", "root_dir", "default_root_dir"}


def read_stored(folder: RunFolder, allow: Sequence[str] = ()) -> dict[str, Any]:
    """run.yaml, with every section there and every name in it on the allow-list; ``allow`` adds to that.

    A relative ``data.root`` that is not found from here is the one in the folder where the run was trained.

    What the config itself says under ``allow_imports`` counts for nothing: who gives the command allows.

    Raises:
        OptionError: ``RUN`` where a section is missing or a file leads elsewhere; a key of the config that
            names foreign code.
    """
    run = folder.read_run()
    _check_files(folder.path)
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


def check_places(config: dict[str, Any], folder: Path, written: Collection[str] = ()) -> None:
    """Raises OptionError where a stored callback or logger would write outside of the run's folder.

    Args:
        config: a stored config, in which the run's folder is where it lies now.
        folder: that folder.
        written: keys that the user has given on this command line; they may lie anywhere.
    """
    inside = folder.resolve()
    for section in ("callback", "logger"):
        for path, value in _texts(config.get(section), section):
            if path in written:
                continue
            name = path.rpartition(".")[2].partition("[")[0]
            points_out = ".." in Path(value).parts or value.startswith(("/", "~"))
            if not points_out and name not in _PLACES:
                continue
            here = "://" not in value and Path(value).expanduser().resolve().is_relative_to(inside)
            reason = f"lies outside of the run's folder; where that is wanted, give {path}={value}"
            require(here or _only_read(path), path, value, reason)


def _check_files(folder: Path) -> None:
    """Raises OptionError where writing into the run, or reading it, would reach beyond it or never end."""
    inside = folder.resolve()
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent, name)
            leads_out = path.is_symlink() and not path.resolve().is_relative_to(inside)
            require(not leads_out, "RUN", path, "is a link out of the run's folder; put a copy in its place")
            plain = path.is_symlink() or path.is_file() or path.is_dir()
            require(plain, "RUN", path, "is neither a file nor a folder; remove it")


def _only_read(path: str) -> bool:
    """Whether the key belongs to a feature extractor, which reads its weights and writes nothing."""
    return ".features." in path


def _texts(node: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _texts(value, f"{path}.{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _texts(value, f"{path}[{index}]")
    elif isinstance(node, str) and not path.endswith("._target_"):
        yield path, node
