"""Several RUNs as a user writes them: folders, beginnings of names, globs, and folders of runs."""

from __future__ import annotations

import fnmatch
import glob
from collections.abc import Sequence
from pathlib import Path

from ganvas.errors import OptionError, require
from ganvas.run.folder.run_folder import RunFolder, all_runs, find_run


def find_runs(names: Sequence[str], output_dir: Path, *, at_least: int = 1) -> list[RunFolder]:
    """The runs in the order of the words, each once.

    Args:
        names: each a RUN, a glob over folders or over runs' names, or a folder that holds runs (a sweep).
        output_dir: where runs are looked for by name.
        at_least: how many there must be.

    Raises:
        OptionError: ``RUN``: a word fits nothing, or there are too few runs.
    """
    found: dict[Path, RunFolder] = {}
    for name in names:
        for folder in _fitting(name, output_dir):
            found.setdefault(folder.path.resolve(), folder)
    runs = list(found.values())
    many = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
    reason = f"names {many}, and a comparison needs at least {at_least}; name more, or a glob such as '2026*'"
    require(len(runs) >= at_least, "RUN", " ".join(names), reason)
    return runs


def _fitting(name: str, output_dir: Path) -> list[RunFolder]:
    if "://" in name or name == "":
        return [find_run(name, output_dir)]  # which refuses it
    if glob.has_magic(name) and not Path(name).exists():
        return _globbed(name, output_dir)
    for folder in (Path(name), *_folders_named(name, output_dir)):
        if (folder / "run.yaml").exists():
            return [RunFolder(folder)]
        inside = all_runs(folder) if folder.is_dir() else []
        if inside:
            return inside
    return [find_run(name, output_dir)]


def _globbed(pattern: str, output_dir: Path) -> list[RunFolder]:
    """Folders that fit the pattern, and what is in them; where there is none, runs whose names fit."""
    found: list[RunFolder] = []
    for path in sorted(Path(word) for word in glob.glob(pattern)):
        if (path / "run.yaml").exists():
            found.append(RunFolder(path))
        elif path.is_dir():
            found += all_runs(path)
    runs = [] if found else all_runs(output_dir)
    found = found or [run for run in runs if run.path.name == pattern]
    found = found or [run for run in runs if fnmatch.fnmatchcase(run.path.name, pattern)]
    if not found:
        raise OptionError("RUN", pattern, f"fits no run; see ganvas runs ls (folder {output_dir})")
    return found


def _folders_named(name: str, output_dir: Path) -> list[Path]:
    """Folders of runs under ``output_dir`` by their own name: a sweep, or an experiment's."""
    if Path(name).name != name or name in (".", ".."):
        return []
    return [path for pattern in (name, f"*/{name}") for path in output_dir.glob(pattern) if path.is_dir()]
