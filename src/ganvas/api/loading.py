"""``ganvas.load`` and ``ganvas.runs``: runs by their names, and the code that they may name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ganvas.api.run import Run
from ganvas.api.state import call, light_call
from ganvas.cli.compose.folders import check_config_dir, make_importable, user_modules
from ganvas.run.folder.run_folder import all_runs
from ganvas.run.folder.usable import find_usable


@call
def load(
    run: str | os.PathLike[str],
    *,
    output_dir: str | os.PathLike[str] = "outputs",
    config_dir: str | os.PathLike[str] | None = None,
    allow_imports: Sequence[str] = (),
    weights: str = "average",
    device: Any = None,
    allow_places: bool = False,
) -> Run:
    """A run with the weights of its newest valid checkpoint.

    Args:
        run: a RUN as the commands take it (``latest:KIND`` too), or a :class:`Run`, e.g. for its raw weights.
        output_dir: where runs are looked for by name.
        config_dir: the folder of your own config groups that it was trained with.
        allow_imports: modules of your own that it may name.
        weights: ``average`` (where the recipe has one) or ``raw``.
        device: None takes the first GPU, or the CPU.
        allow_places: it is your own run: folders to be written and addresses that it names may lie anywhere.

    Raises:
        OptionError: none or several fit, no valid checkpoint, or it names code that is not allowed.
    """
    folder = find_usable(os.fspath(run), Path(output_dir))
    groups, allow = code_of(run, config_dir, allow_imports)
    allow += importable(groups)
    own = allow_places or (isinstance(run, Run) and run.allows_places)
    folder = replace(folder, allows_places=own)
    found = Run(folder, allow=allow, config_dir=groups, weights=weights, device=device)
    found.model  # noqa: B018  # what is wrong with it shows here
    return found


def code_of(
    run: object, config_dir: str | os.PathLike[str] | None, allow_imports: Sequence[str]
) -> tuple[str | None, list[str]]:
    """The config folder and the modules that a call allows, with those that a :class:`Run` was given."""
    groups, allow = None if config_dir is None else os.fspath(config_dir), list(allow_imports)
    if isinstance(run, Run):
        return groups or run.config_dir, [*allow, *run.allow_imports]
    return groups, allow


def importable(config_dir: str | None) -> list[str]:
    """Makes the modules of the user's own folder importable; their names."""
    if config_dir is not None:
        make_importable(check_config_dir(config_dir))
    return user_modules(config_dir)


@light_call
def runs(output_dir: str | os.PathLike[str] = "outputs") -> list[Run]:
    """Every run under a folder, also inside of sweeps, oldest first; their networks are not loaded yet."""
    return [Run(folder) for folder in all_runs(Path(output_dir))]
