"""One attempt at a frozen config, in this process: trained in its folder, or gone on with there."""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganvas.cli.arguments import own_code
from ganvas.cli.compose.folders import make_importable, user_modules
from ganvas.cli.compose.secrets import fill_secrets, require_secrets
from ganvas.cli.report import report
from ganvas.cli.resume import continue_run
from ganvas.errors import OptionError
from ganvas.run.config.places import check_training, confine
from ganvas.run.distributed.rank_info import find_rank
from ganvas.run.folder.lock import RunLock, wait_until_free
from ganvas.run.folder.run_folder import RunFolder
from ganvas.sweep.command import SECRETS


@dataclass(frozen=True)
class Frozen:
    """What is trained: a job of a sweep, a stage of a pipeline.

    Attributes:
        config: plain values; secrets are hidden.
        run_dir: its run's folder.
        provenance: run.yaml's ``ganvas`` section.
        overrides, origins: for errors in the user's words, as of ``ganvas.cli.compose.experiment.Composed``.
    """

    config: dict[str, Any]
    run_dir: Path
    provenance: dict[str, Any]
    overrides: Sequence[str]
    origins: dict[str, list[str]]


def attempt(frozen: Frozen, arguments: argparse.Namespace, *, says_how: bool = True) -> int:
    """Trains or resumes; what a single run would do.

    Args:
        arguments: ``config_dir``, ``allow_imports`` and ``allow_places`` of the command line.
        says_how: whether a stopped run says how it is gone on with.
    """
    if arguments.config_dir is not None:
        make_importable(Path(arguments.config_dir).resolve())
    allow = [*arguments.allow_imports, *user_modules(arguments.config_dir)]
    own = own_code(arguments.config_dir, arguments.allow_imports)
    config = _with_secrets(frozen.config)
    folder = RunFolder(frozen.run_dir, arguments.allow_places)
    if (folder.path / "run.yaml").exists():
        return report(continue_run(folder, [], allow, secrets=config), own, says_how=says_how)
    from ganvas.run.start import train

    if not arguments.allow_places:
        confine(config, folder.path)
        check_training(config, folder.path)
    if find_rank().is_first:
        _clear(folder.path)
    config["allow_imports"] = allow
    try:
        outcome = train({"ganvas": frozen.provenance, "config": config}, quiet=True)
    except OptionError as error:
        from ganvas.cli.compose.experiment import Composed  # Hydra, for seconds

        raise Composed(config, {}, list(frozen.overrides), frozen.origins).named_as_written(error) from error
    return report(outcome, own, says_how=says_how)


def _with_secrets(config: dict[str, Any]) -> dict[str, Any]:
    """The config with what its file hides: who started this process hands it on in the environment."""
    try:
        given = json.loads(os.environ.get(SECRETS, "{}"))
    except ValueError:
        given = {}
    config = fill_secrets(config, given if isinstance(given, dict) else {})
    require_secrets(config)
    return config


def _clear(folder: Path) -> None:
    """Removes what an attempt left that was killed while it made the folder: it holds no run yet."""
    if folder.is_dir() and not any(
        path.is_file() and path.suffix != ".tmp" and path.name != ".lock" for path in folder.rglob("*")
    ):
        shutil.rmtree(folder)


def lock_of(folder: Path, name: str) -> RunLock:
    """The lock of a job or a stage, once an earlier attempt, whose starter was killed, has let go."""
    wait_until_free(folder, name)
    return RunLock(folder, name)
