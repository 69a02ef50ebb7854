"""Pipelines on disk: which there are, and which one a user means."""

from __future__ import annotations

import os
from pathlib import Path

from ganvas.errors import OptionError, require
from ganvas.files.remove import is_rest
from ganvas.functional.instant import instant_of_folder
from ganvas.pipeline.manifest import FILE, is_pipeline


def all_pipelines(output_dir: Path) -> list[Path]:
    """Every pipeline's folder under ``output_dir``, oldest first."""
    found = {path.parent for pattern in (f"*/*/{FILE}", f"*/{FILE}") for path in output_dir.glob(pattern)}
    return sorted((path for path in found if not is_rest(path)), key=lambda path: (_began(path), str(path)))


def _began(folder: Path) -> float:
    """When a pipeline was begun, seconds since 1970: by its name, else by its pipeline.json."""
    named = instant_of_folder(folder.name)
    return (folder / FILE).stat().st_mtime if named is None else named


def pipeline_there(name: str, output_dir: Path) -> Path | None:
    """The pipeline of this folder or of a folder's whole name; None where a RUN may be meant."""
    if os.sep in name or "\0" in name or len(os.fsencode(name)) > 255 or name in ("", ".", ".."):
        return Path(name) if "\0" not in name and os.path.isfile(os.path.join(name, FILE)) else None
    if is_pipeline(Path(name)):
        return Path(name)
    return next((path for path in all_pipelines(output_dir) if path.name == name), None)


def find_pipeline(name: str, output_dir: Path) -> Path:
    """PIPELINE as a user writes it: a folder, ``latest``, or the name or unique beginning of a folder's name.

    Raises:
        OptionError: none or several fit.
    """
    there = pipeline_there(name, output_dir)
    if there is not None:
        return there
    found = all_pipelines(output_dir)
    made = "ganvas pipeline NAME makes one"
    require(not os.path.isdir(name) or name == "latest", "PIPELINE", name, f"holds no {FILE}; {made}")
    none = "there is no pipeline" if name == "latest" else "is no folder of a pipeline, and there is none"
    require(bool(found), "PIPELINE", name, f"{none} under {output_dir}; {made}")
    if name == "latest":
        return found[-1]
    fitting = [path for path in found if name and path.name.startswith(name)]
    if len(fitting) == 1:
        return fitting[0]
    there_are = ", ".join(path.name for path in (fitting or found)[-3:])
    said = f"fits {len(fitting)} pipelines" if fitting else "no pipeline's name begins so"
    raise OptionError("PIPELINE", name, f"{said}; there are: {there_are}")
