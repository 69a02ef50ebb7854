"""A sweep before anything of it is written: its folder, its jobs, what will run them."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganvas.cli.sweep.launchers import JobLauncher
from ganvas.errors import OptionError
from ganvas.files.folders import expanded
from ganvas.functional.instant import folder_stamp
from ganvas.run.folder.run_folder import check_name, check_writable
from ganvas.sweep.command import JobCommand
from ganvas.sweep.find import sweep_there
from ganvas.sweep.interface import Engine, Job, Source
from ganvas.sweep.manifest import Draft, Manifest


@dataclass
class Planned:
    """A sweep before anything of it is written.

    Attributes:
        sweep: with all the jobs that are known yet.
        launcher: what will run them.
        source: what gives them out.
        secrets: job index -> key -> value.
        allow: the user's own modules that the jobs' configs may name, as their ``allow_imports`` say now.
        examples: what the jobs of a search, which are not known yet, will be like.
        notes: what the user did not ask for and should know.
    """

    sweep: Manifest
    launcher: JobLauncher
    source: Source
    secrets: dict[int, dict[str, Any]] = field(default_factory=dict)
    allow: list[str] = field(default_factory=list)
    examples: list[Job] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def allowed_by(drafts: Iterable[Draft]) -> list[str]:
    """The modules in ``allow_imports`` of configs that the user's command line has just composed."""
    return list(dict.fromkeys(one for draft in drafts for one in draft.config.get("allow_imports") or ()))


def is_hydra_override(word: str) -> bool:
    """Whether an override is Hydra's own business (launcher, sweeper, folder) and not an experiment's."""
    return re.match(r"[+~]*hydra[./]", word) is not None


def sweep_folder(section: Any, overrides: Sequence[str], config: dict[str, Any]) -> Path:
    """outputs/<name>/<date in UTC>_sweep-<hash>, or ``hydra.sweep.dir`` where the user gives it."""
    check_name(config["name"])
    if any(word.startswith("hydra.sweep.dir=") for word in overrides):
        folder = expanded(str(section.sweep.dir), "hydra.sweep.dir")
        check_writable(folder, "hydra.sweep.dir")
        return folder
    digest = hashlib.sha256(f"{list(overrides)}{time.time_ns()}".encode()).hexdigest()[:6]
    place = Path(config["paths"]["output_dir"], config["name"])
    folder = place / f"{folder_stamp()}_sweep-{digest}"
    check_writable(folder, "paths.output_dir")
    return folder


def join_sweep(sweep: Manifest, is_same: Callable[[Manifest], bool]) -> Manifest:
    """The sweep that lies in the folder already, where it is this one; else the new one.

    Raises:
        OptionError: the folder holds another sweep, or something else.
    """
    old = sweep_there(sweep.folder)
    if old is None:
        return sweep
    if not is_same(old):
        held = f"{len(old.jobs)} jobs: {' '.join(old.about.get('sweep_overrides') or [])[:200]}"
        reason = f"holds another sweep ({held}); name a new folder, or: ganvas sweep resume"
        raise OptionError("hydra.sweep.dir", sweep.folder, reason)
    return old


def engine_of(planned: Planned, command: JobCommand) -> Engine:
    """What will run the jobs.

    Raises:
        OptionError: ``hydra.launcher`` asks for what this machine does not have.
    """
    try:
        return planned.launcher.engine(command, planned.sweep.jobs or planned.examples)
    except OptionError as error:
        raise error.under("hydra.launcher") if "/" not in error.option else error from error
