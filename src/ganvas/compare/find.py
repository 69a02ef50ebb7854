"""Several RUNs as a user writes them: folders, beginnings of names, globs, and folders of runs."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from ganvas.errors import require
from ganvas.run.folder.run_folder import RunFolder, all_runs
from ganvas.run.folder.usable import ANY, Need, find_usable, globbed


def find_runs(
    names: Sequence[str], output_dir: Path, *, at_least: int = 1, need: Need = ANY
) -> list[RunFolder]:
    """The runs in the order of the words, each once.

    Args:
        names: each a RUN, a glob over folders or over runs' names, or a folder that holds runs (a sweep).
        output_dir: where runs are looked for by name.
        at_least: how many there must be.
        need: what ``latest`` must have.

    Raises:
        OptionError: ``RUN``: a word fits nothing, or there are too few runs.
    """
    found: dict[Path, RunFolder] = {}
    for name in names:
        for folder in _fitting(name, output_dir, need):
            found.setdefault(folder.path.resolve(), folder)
    runs = list(found.values())
    many = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
    reason = f"names {many}, and a comparison needs at least {at_least}; name more, or a glob such as '2026*'"
    require(len(runs) >= at_least, "RUN", " ".join(names), reason)
    return runs


def _fitting(name: str, output_dir: Path, need: Need) -> list[RunFolder]:
    if "://" in name or name == "":
        return [find_usable(name, output_dir, need)]  # which refuses it
    # os.path and not Path: a name that is too long is an error to the second.
    if glob.has_magic(name) and not os.path.exists(name):
        return globbed(name, output_dir)
    for folder in (Path(name), *_folders_named(name, output_dir)):
        if os.path.exists(folder / "run.yaml"):
            return [RunFolder(folder)]
        inside = all_runs(folder) if os.path.isdir(folder) else []
        if inside:
            return inside
    return [find_usable(name, output_dir, need)]


def _folders_named(name: str, output_dir: Path) -> list[Path]:
    """Folders of runs under ``output_dir`` by their own name: a sweep, or an experiment's."""
    if Path(name).name != name or name in (".", ".."):
        return []
    return [path for pattern in (name, f"*/{name}") for path in output_dir.glob(pattern) if path.is_dir()]
