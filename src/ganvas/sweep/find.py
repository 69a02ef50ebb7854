"""Sweeps on disk: which there are, and which one a user means."""

from __future__ import annotations

import contextlib
import difflib
from pathlib import Path

from ganvas.errors import OptionError, require
from ganvas.files.remove import is_rest
from ganvas.functional.instant import instant_of, instant_of_folder
from ganvas.sweep.manifest import FILE, Manifest


def all_sweeps(output_dir: Path) -> list[Path]:
    """Every sweep's folder under ``output_dir``, oldest first."""
    found = {path.parent for pattern in (f"*/*/{FILE}", f"*/{FILE}") for path in output_dir.glob(pattern)}
    return sorted(found, key=lambda path: (_created(path), (path / FILE).stat().st_mtime_ns, str(path)))


def _created(folder: Path) -> float:
    """When a sweep was begun, seconds since 1970: by its name, else by its sweep.json, which may be large."""
    named = instant_of_folder(folder.name)
    if named is not None:
        return named
    with contextlib.suppress(OptionError):
        told = instant_of(Manifest.read(folder).about.get("created"))
        if told is not None:
            return told
    return (folder / FILE).stat().st_mtime


def find_sweep(name: str, output_dir: Path) -> Path:
    """SWEEP as a user writes it: a folder, ``latest``, or the name or unique beginning of a folder's name.

    Raises:
        OptionError: none or several fit.
    """
    require(name != "", "SWEEP", name, "is empty; name a sweep, or latest")
    if (Path(name) / FILE).exists():
        return Path(name)
    sweeps = all_sweeps(output_dir)
    none = "there is no sweep" if name == "latest" else "is no folder of a sweep, and there is none"
    require(bool(sweeps), "SWEEP", name, f"{none} under {output_dir}; ganvas train -m makes one")
    if name == "latest":
        return sweeps[-1]
    fitting = [path for path in sweeps if path.name == name]
    fitting = fitting or [path for path in sweeps if path.name.startswith(name)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        some = ", ".join(path.name for path in fitting[:3])
        raise OptionError("SWEEP", name, f"fits {len(fitting)} sweeps ({some} ...); give more letters")
    close = difflib.get_close_matches(name, [path.name for path in sweeps], n=1, cutoff=0.3)
    hint = f"did you mean {close[0]}?" if close else f"see ganvas sweep ls (folder {output_dir})"
    raise OptionError("SWEEP", name, f"no sweep's name begins so; {hint}")


def sweep_there(folder: Path) -> Manifest | None:
    """The sweep that lies in a folder already; None where there is nothing yet.

    Raises:
        OptionError: the folder holds something else.
    """
    if not folder.exists() or not _holds_anything(folder):
        return None
    there = (folder / FILE).exists()
    require(there, "hydra.sweep.dir", folder, "holds other files than a sweep's; name a new folder")
    return Manifest.read(folder)


def _holds_anything(folder: Path) -> bool:
    """Whether there is more than a process leaves that was killed before it had written the sweep."""
    jobs = folder / "jobs"
    more = [path for path in folder.iterdir() if path != jobs and not is_rest(path)]
    return bool(more) or (jobs.exists() and (not jobs.is_dir() or any(jobs.iterdir())))
