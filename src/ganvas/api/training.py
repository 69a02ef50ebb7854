"""``ganvas.train`` and ``ganvas.resume``: what the commands of these names do, in this process."""

from __future__ import annotations

import copy
import dataclasses
import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ganvas.api.config import Config, as_config
from ganvas.api.loading import code_of, importable
from ganvas.api.run import Run
from ganvas.api.state import call
from ganvas.cli.compose.folders import user_modules
from ganvas.cli.resume import continue_run
from ganvas.cli.train import train_composed
from ganvas.errors import require
from ganvas.files.text import say
from ganvas.run.config.stored import relocate_paths
from ganvas.run.folder.run_folder import new_folder_path
from ganvas.run.folder.usable import NEEDS, find_usable
from ganvas.run.outcome import Outcome


@call
def train(config: Config | Sequence[str]) -> Run:
    """Trains an experiment in a new folder, to the bit as ``ganvas train`` does with the same overrides.

    Where its config asks for several processes they are started, and this one waits for them.

    Args:
        config: from :func:`ganvas.compose`, or the overrides for it. It is left as it is: each call trains in
            a folder of its own, unless ``paths.run_dir`` was chosen.

    Returns:
        the run; its networks are loaded when they are asked for.

    Raises:
        OptionError: before anything is written.
        NonFiniteError: the numbers diverged; the last checkpoint is whole.
        RankError: a process of the run was lost.
        KeyboardInterrupt: the run was stopped by Ctrl-C, and has saved its state; ``ganvas.resume`` goes on.
        RuntimeError: the last state could not be written.
    """
    config = as_config(config)
    reason = "continues another run; ganvas.resume(run) does that"
    require(not config.get("resume"), "resume", config.get("resume"), reason)
    plain = copy.deepcopy(dict(config))
    run_dir = plain["paths"]["run_dir"]
    if Path(run_dir).exists() and not any(one.startswith("paths.run_dir=") for one in config.overrides):
        plain = relocate_paths(plain, run_dir, str(new_folder_path(plain, config.choices)))
    composed = dataclasses.replace(config.composed, config=plain)
    command = f"ganvas.train({config.overrides})"
    folder, name = config.config_dir, config.config_name
    outcome = train_composed(composed, config_dir=folder, config_name=name, command=command, quiet=True)
    return _run_of(outcome, user_modules(config.config_dir), config.config_dir)


@call
def resume(
    run: str | os.PathLike[str],
    overrides: Sequence[str] = (),
    *,
    output_dir: str | os.PathLike[str] = "outputs",
    config_dir: str | os.PathLike[str] | None = None,
    allow_imports: Sequence[str] = (),
    allow_places: bool = False,
) -> Run:
    """Continues a run in its own folder from its newest whole checkpoint, as ``ganvas resume`` does.

    Args:
        run: a :class:`Run`, its folder, the unique beginning of its name, ``latest`` or ``latest:KIND``.
        overrides: keys to change, e.g. ``["trainer.max_examples=2000000"]``.
        output_dir: where runs are looked for by name.
        config_dir: the folder of your own config groups that it was trained with.
        allow_imports: modules of your own that it may name.
        allow_places: it is your own run: folders to be written and addresses that it names may lie anywhere.

    Raises:
        as :func:`train`; OptionError also where the run would be trained otherwise than it was.
    """
    reason = 'must be a list, e.g. ["trainer.max_examples=2000000"]'
    require(not isinstance(overrides, str), "overrides", overrides, reason)
    groups, allow = code_of(run, config_dir, allow_imports)
    allow += importable(groups)
    need = NEEDS["resume with overrides" if overrides else "resume"]
    folder = find_usable(os.fspath(run), Path(output_dir), need)
    own = allow_places or (isinstance(run, Run) and run.allows_places)
    folder = replace(folder, allows_places=own)
    return _run_of(continue_run(folder, list(overrides), allow, quiet=True), allow, groups, own=own)


def _run_of(outcome: Outcome, allow: Sequence[str], config_dir: str | None, *, own: bool = True) -> Run:
    """The run as an object; one that this process has begun is its user's ``own``."""
    for note in outcome.notes:
        say(note)
    if outcome.state == "interrupted" and outcome.exit_code == 128 + signal.SIGINT:
        raise KeyboardInterrupt(f"stopped and saved; go on with ganvas.resume({str(outcome.folder.path)!r})")
    if outcome.exit_code and outcome.state != "interrupted":
        raise RuntimeError("; ".join(outcome.notes) or f"the run {outcome.state}: {outcome.folder.path}")
    return Run(replace(outcome.folder, allows_places=own), allow=allow, config_dir=config_dir)
