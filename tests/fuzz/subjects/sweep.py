"""Sweeps: sweep.json, the jobs' records and marks, a search's study log."""

from __future__ import annotations

import random
from pathlib import Path

from mutate.files import damage_bytes, damage_json, damage_lines
from subject import Reader, Subject, command
from world import World

_SAVED = ("experiment", "experiment/*")
_GRID = (
    command("sweep", "status", "s", "--output-dir", "."),
    command("sweep", "status", "s", "--json"),
    command("sweep", "best", "s"),
    command("sweep", "best", "s", "--json"),
    command("sweep", "best", "s", "--save", "experiment/best.yaml", writes=_SAVED),
    command("sweep", "ls", "--output-dir", "."),
    command("sweep", "ls", "--output-dir", ".", "--json"),
    command("runs", "ls", "--output-dir", "."),
)
# A report is kept in the sweep, and the lock of the journal is a link beside it.
_REPORTS = ("s/search/*", "s/search", "s/study.log*", "s/.lock")
_SEARCH = (
    command("sweep", "status", "s"),
    command("sweep", "best", "s", writes=_REPORTS),
    command("sweep", "best", "s", "--json", writes=_REPORTS),
    command("sweep", "best", "s", "--save", "experiment/best.yaml", writes=(*_REPORTS, *_SAVED)),
)


def _lay(world: World, folder: Path, draws: random.Random) -> tuple[Reader, ...]:
    """A sweep as ``s``, and what reads it."""
    name, readers = draws.choice((("grid", _GRID), ("search", _SEARCH)))
    world.copy(name, folder / "s")
    return readers


def _lay_manifest(world: World, folder: Path, draws: random.Random) -> Reader:
    readers = _lay(world, folder, draws)
    damage_json(folder / "s" / "sweep.json", draws)
    return draws.choice(readers)


def _lay_record(world: World, folder: Path, draws: random.Random) -> Reader:
    readers = _lay(world, folder, draws)
    if draws.random() < 0.15:
        damage_bytes(folder / "s" / "jobs" / "000.mark", draws)
    else:
        damage_json(folder / "s" / "jobs" / draws.choice(("000.json", "001.json")), draws)
    return draws.choice(readers)


def _lay_study(world: World, folder: Path, draws: random.Random) -> Reader:
    world.copy("search", folder / "s")
    damage_lines(folder / "s" / "study.log", draws)
    return draws.choice(_SEARCH[1:])


SUBJECTS = [
    Subject("sweep_json", "sweep.json: sweep status, best and ls", _lay_manifest),
    Subject("job_record", "jobs/NNN.json and .mark: sweep status, best and ls", _lay_record),
    Subject("study_log", "the journal of a search: sweep best", _lay_study),
]
