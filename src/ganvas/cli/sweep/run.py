"""Runs what is planned, to one table of the results; goes on with what an earlier process left."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganvas.cli.arguments import own_code
from ganvas.cli.compose.composer import Composer
from ganvas.cli.compose.secrets import hidden_keys, values_at
from ganvas.cli.compose.session import hydra_session
from ganvas.cli.sweep.launchers import make_launcher
from ganvas.cli.sweep.plan import hydra_section, plan_sweep
from ganvas.cli.sweep.planned import Planned, engine_of, is_hydra_override
from ganvas.cli.sweep.search.search import AGAIN, Search, extended, stored
from ganvas.cli.sweep.show import Watch, show_end
from ganvas.errors import REDACTED, OptionError, require
from ganvas.files.text import say
from ganvas.run.folder.lock import RunLock
from ganvas.sweep.command import JobCommand
from ganvas.sweep.grid import Grid
from ganvas.sweep.interface import Job, Source
from ganvas.sweep.manifest import FILE, Manifest
from ganvas.sweep.pool import Pool
from ganvas.sweep.records import RESUMABLE, result_of
from ganvas.sweep.summary import results


def sweep(
    overrides: Sequence[str], *, config_dir: str | None, config_name: str, allow: Sequence[str] = ()
) -> int:
    """``ganvas train -m``: every combination, or a search; returns 0 only where every job ended well.

    Args:
        allow: the user's own modules that the configs may name, beside those of their ``allow_imports``.

    Raises:
        OptionError: before the first job and before anything is written.
    """
    with hydra_session(config_dir) as hydra:
        composer = Composer(hydra, config_name)
        section = hydra_section(composer, overrides)
        planned = plan_sweep(composer, overrides, section)
        return _drive(planned, config_dir, allow, allows_places=True)


def _drive(planned: Planned, config_dir: str | None, allow: Sequence[str], *, allows_places: bool) -> int:
    """Runs what is planned; writes the manifest first, and at the end results.csv and the table."""
    sweep = planned.sweep
    allow = tuple(dict.fromkeys([*planned.allow, *allow]))
    engine = engine_of(planned, JobCommand(sweep.folder, config_dir, planned.secrets, allow, allows_places))
    if not (sweep.folder / FILE).exists():
        sweep.write()
    for note in planned.notes:
        say(note, flush=True)
    try:
        lock = RunLock(sweep.folder)
        with lock, Watch(sweep) as watch:
            pool = Pool(sweep, planned.source, engine, planned.launcher.pool_options, watch)
            pool.run()
            search = planned.source if isinstance(planned.source, Search) else None
            report, all_well = ([], True) if search is None else search.finish()
    except OptionError as error:
        raise OptionError("SWEEP", error.value, error.reason) if error.option == "RUN" else error from error
    own = own_code(config_dir, allow)
    code = show_end(sweep, results(sweep), stopped_by=pool.signal, own=own)
    for line in report:
        say(line)
    return code or int(not all_well)


def resume(
    folder: Path,
    overrides: Sequence[str],
    *,
    config_dir: str | None = None,
    allow: Sequence[str] = (),
    allows_places: bool = False,
    failed: bool = False,
    only: Sequence[int] = (),
) -> int:
    """Goes on with a sweep: what waits, was interrupted or killed; with ``failed`` also what failed.

    Args:
        folder: the sweep.
        overrides: options of the launcher (``hydra.launcher.n_jobs=2``), and secrets that sweep.json hides.
        allow: the user's own modules that its jobs may name; what sweep.json says of that counts for nothing.
        allows_places: whether folders to be written and addresses that it names may lie anywhere.
        only: these jobs alone.

    Raises:
        OptionError: a job that is not there, an option that is frozen.
    """
    sweep = Manifest.read(folder)
    name = str(sweep.about.get("config_name", "train"))
    with hydra_session(config_dir) as hydra:
        composer = Composer(hydra, name)
        stored = [word for word in sweep.about.get("sweep_overrides", []) if _may_be_resumed(word)]
        section = composer.hydra_section([*stored, *(word for word in overrides if is_hydra_override(word))])
        launcher = make_launcher(section.launcher, [*stored, *overrides])
        again = [word for word in overrides if not is_hydra_override(word)]
        secrets = _secrets_again(composer, sweep, again, allows_places=allows_places)
        absent = [index for index in only if not 0 <= index < len(sweep.jobs)]
        require(not absent, "JOB", absent, f"the sweep has jobs 0 to {len(sweep.jobs) - 1}")
        wanted = (*RESUMABLE, "running", *(("failed", "refused", "broken") if failed else ()))
        found = results(sweep)
        todo = [job for job, result in found if result.state in wanted and (not only or job.index in only)]
        source = _source(sweep, todo, overrides, config_dir, secrets, allows_places=allows_places)
        if isinstance(source, Grid) and source.is_done():
            say("nothing is left to do")
            return show_end(sweep, found)
        return _drive(
            Planned(sweep, launcher, source, secrets), config_dir, allow, allows_places=allows_places
        )


def _source(
    sweep: Manifest,
    todo: list[Job],
    overrides: Sequence[str],
    config_dir: str | None,
    secrets: dict[int, dict[str, Any]],
    *,
    allows_places: bool,
) -> Source:
    asked = stored(sweep, allows_places=allows_places)
    if asked is None:
        return Grid(todo)
    asked = extended(sweep, asked, overrides)
    again = [word for word in overrides if not is_hydra_override(word)]
    retry = [job.index for job in todo if result_of(sweep, job).state in AGAIN]
    return Search(
        sweep,
        asked,
        config_dir=config_dir,
        secrets=secrets,
        again=again,
        retry=retry,
        allows_places=allows_places,
    )


def _may_be_resumed(word: str) -> bool:
    """Whether a word of a stored sweep is taken again: options of a launcher, and nothing that names code.

    A sweep's folder is data that may come from anyone: which class runs and what a shell is told come from
    the command line alone.
    """
    key = word.partition("=")[0]
    if key in ("hydra/launcher", "hydra/sweeper"):
        return re.fullmatch(r"[a-z_]+", word.partition("=")[2]) is not None
    options = key.startswith(("hydra.launcher.", "hydra.sweeper."))
    told_again = ("_target_", "setup", "python", "additional_parameters", "address")
    return options and not any(name in key for name in told_again) and "{" not in word


def _secrets_again(
    composer: Composer, sweep: Manifest, overrides: Sequence[str], *, allows_places: bool
) -> dict[int, dict[str, Any]]:
    """What sweep.json hides, from the environment as the configs name it, or from the command line.

    An interpolation in a word of sweep.json itself is its own word on this environment: left out.
    """
    given = dict(word.split("=", 1) for word in overrides if "=" in word)
    known: set[str] = set()
    found: dict[int, dict[str, Any]] = {}
    for job in sweep.jobs if sweep.hides_secrets() else ():
        hidden = hidden_keys(sweep.config_of(job))
        known |= set(hidden)
        if not hidden:
            continue
        shown = [
            word
            for word in sweep.overrides_of(job)
            if REDACTED not in word and (allows_places or "${" not in word)
        ]
        again: Mapping[str, Any] = values_at(composer.compose(shown).config, hidden)
        found[job.index] = {**again, **{key: value for key, value in given.items() if key in hidden}}
    for word in overrides:
        key, _, value = word.partition("=")
        require(key in known, key, value, "is frozen in this sweep; begin another one with ganvas train -m")
    return found
