"""From a sweep's overrides to its end: compose every job, freeze them, run them, and one table of results."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganvas.cli.compose import hydra_session, provenance
from ganvas.cli.launcher import JobLauncher, make_launcher
from ganvas.cli.secrets import hidden_keys, values_at
from ganvas.cli.sweep_jobs import Composer, drafts, fixed_overrides
from ganvas.cli.sweep_show import Watch, show_end
from ganvas.errors import REDACTED, OptionError, require
from ganvas.run.folder.lock import RunLock
from ganvas.run.folder.redact import redacted
from ganvas.run.folder.run_folder import check_name, check_writable
from ganvas.sweep.command import JobCommand
from ganvas.sweep.find import sweep_there
from ganvas.sweep.grid import Grid
from ganvas.sweep.interface import Engine, Job, Source
from ganvas.sweep.manifest import FILE, Draft, Manifest, new_about
from ganvas.sweep.pool import Pool
from ganvas.sweep.records import RESUMABLE, result_of
from ganvas.sweep.summary import results

_BASIC = "hydra._internal.core_plugins.basic_sweeper"
_OPTUNA = "hydra_plugins.ganvas_optuna"


@dataclass
class Planned:
    """A sweep before anything of it is written.

    Attributes:
        sweep: with all the jobs that are known yet.
        launcher: what will run them.
        source: what gives them out.
        secrets: job index -> key -> value.
        examples: what the jobs of a search, which are not known yet, will be like.
    """

    sweep: Manifest
    launcher: JobLauncher
    source: Source
    secrets: dict[int, dict[str, str]] = field(default_factory=dict)
    examples: list[Job] = field(default_factory=list)


def is_hydra_override(word: str) -> bool:
    """Whether an override is Hydra's own business (launcher, sweeper, folder) and not an experiment's."""
    return re.match(r"[+~]*hydra[./]", word) is not None


def sweep(overrides: Sequence[str], *, config_dir: str | None, config_name: str) -> int:
    """``ganvas train -m``: every combination, or a search; returns 0 only where every job ended well.

    Raises:
        OptionError: before the first job and before anything is written.
    """
    with hydra_session(config_dir) as hydra:
        composer = Composer(hydra, config_name)
        section = hydra_section(composer, overrides)
        sweeper = str(section.sweeper.get("_target_"))
        if not sweeper.startswith((_BASIC, _OPTUNA)):
            from ganvas.cli.sweep_foreign import sweep_by

            return sweep_by(hydra, overrides, section, config_dir=config_dir, config_name=config_name)
        planned = plan(composer, overrides, section)
        command = JobCommand(planned.sweep.folder, config_dir, planned.secrets)
        return drive(planned, command)


def plan(composer: Composer, overrides: Sequence[str], section: Any) -> Planned:
    """Composes everything and checks it; writes nothing."""
    own = [word for word in overrides if not is_hydra_override(word)]
    launcher = make_launcher(section.launcher, overrides)
    if str(section.sweeper.get("_target_")).startswith(_OPTUNA):
        from ganvas.cli.search_plan import plan_search

        return plan_search(composer, overrides, own, section, launcher)
    made, shared = drafts(composer, own)
    if any(draft.config.get("optimized_metric") is not None for draft in made):
        from ganvas.run.config.reported import check_ranked  # torch, for seconds

        check_ranked(draft.config for draft in made)
    folder = sweep_folder(section, overrides, made[0].config)
    about = new_about(overrides, shared, provenance(composer.compose(fixed_overrides(own))))
    about["config_name"] = composer.config_name
    sweep = Manifest(folder, about)
    jobs = sweep.add(made)
    secrets = {
        job.index: hidden for job, draft in zip(jobs, made, strict=True) if (hidden := secrets_of(draft))
    }
    sweep = _joined(sweep)
    todo = [job for job, result in results(sweep) if result.state in (*RESUMABLE, "running")]
    return Planned(sweep, launcher, Grid(todo), secrets)


def hydra_section(composer: Composer, overrides: Sequence[str]) -> Any:
    """Hydra's own part of the config; its overrides have one value each.

    Raises:
        OptionError: one of them lists several.
    """
    for word in overrides:
        if is_hydra_override(word) and not fixed_overrides([word]):
            key, _, value = word.partition("=")
            raise OptionError(key, value, "cannot differ between the jobs of one sweep; begin one for each")
    return composer.hydra_section(overrides)


def engine_of(planned: Planned, command: JobCommand) -> Engine:
    """What will run the jobs.

    Raises:
        OptionError: ``hydra.launcher`` asks for what this machine does not have.
    """
    try:
        return planned.launcher.engine(command, planned.sweep.jobs or planned.examples)
    except OptionError as error:
        raise error.under("hydra.launcher") if "/" not in error.option else error from error


def secrets_of(draft: Draft) -> dict[str, str]:
    """What a frozen config hides of a job's."""
    return values_at(draft.config, hidden_keys(redacted(draft.config)))


def sweep_folder(section: Any, overrides: Sequence[str], config: dict[str, Any]) -> Path:
    """outputs/<name>/<date>_sweep-<hash>, or ``hydra.sweep.dir`` where the user gives it."""
    check_name(config["name"])
    if any(word.startswith("hydra.sweep.dir=") for word in overrides):
        folder = Path(str(section.sweep.dir))
        check_writable(folder, "hydra.sweep.dir")
        return folder
    digest = hashlib.sha256(f"{list(overrides)}{time.time_ns()}".encode()).hexdigest()[:6]
    place = Path(config["paths"]["output_dir"], config["name"])
    folder = place / f"{time.strftime('%Y%m%d-%H%M%S')}_sweep-{digest}"
    check_writable(folder, "paths.output_dir")
    return folder


def _joined(sweep: Manifest) -> Manifest:
    """The sweep that lies in the folder already, where it is this one; else the new one.

    Raises:
        OptionError: the folder holds another sweep, or something else.
    """
    old = sweep_there(sweep.folder)
    if old is None:
        return sweep
    if [job.key for job in old.jobs] != [job.key for job in sweep.jobs]:
        overrides = " ".join(old.about.get("sweep_overrides") or [])[:200]
        reason = (
            f"holds another sweep ({len(old.jobs)} jobs: {overrides}); name a new folder, or: "
            "ganvas sweep resume"
        )
        raise OptionError("hydra.sweep.dir", sweep.folder, reason)
    return old


def drive(planned: Planned, command: JobCommand, *, is_new: bool = True) -> int:
    """Runs what is planned; writes the manifest first, and at the end results.csv and the table."""
    sweep = planned.sweep
    engine = engine_of(planned, command)
    if is_new and not (sweep.folder / FILE).exists():
        sweep.write()
    try:
        lock = RunLock(sweep.folder)
        with lock, Watch(sweep) as watch:
            pool = Pool(sweep, planned.source, engine, planned.launcher.pool_options, watch)
            pool.run()
            said, all_well = finish(planned.source)
    except OptionError as error:
        raise OptionError("SWEEP", error.value, error.reason) if error.option == "RUN" else error from error
    code = show_end(sweep, results(sweep), stopped_by=pool.signal)
    print(*said, sep="\n", end="\n" if said else "")
    return code or int(not all_well)


def resume(
    folder: Path, overrides: Sequence[str], *, config_dir: str | None = None, failed: bool = False,
    only: Sequence[int] = (),
) -> int:  # fmt: skip
    """Goes on with a sweep: what waits, was interrupted or killed; with ``failed`` also what failed.

    Args:
        folder: the sweep.
        overrides: options of the launcher (``hydra.launcher.n_jobs=2``), and secrets that sweep.json hides.
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
        secrets = _secrets_again(composer, sweep, [word for word in overrides if not is_hydra_override(word)])
        absent = [index for index in only if not 0 <= index < len(sweep.jobs)]
        require(not absent, "JOB", absent, f"the sweep has jobs 0 to {len(sweep.jobs) - 1}")
        wanted = (*RESUMABLE, "running", *(("failed", "refused") if failed else ()))
        found = results(sweep)
        todo = [job for job, result in found if result.state in wanted and (not only or job.index in only)]
        source = _source(sweep, todo, overrides, config_dir, secrets)
        if isinstance(source, Grid) and source.is_done():
            print("nothing is left to do")
            return show_end(sweep, found)
        return drive(
            Planned(sweep, launcher, source, secrets), JobCommand(folder, config_dir, secrets), is_new=False
        )


def finish(source: Source) -> tuple[list[str], bool]:
    """Of a search: its report in lines, and whether no trial failed, also of those that had no job."""
    from ganvas.cli.search import Search

    return source.finish() if isinstance(source, Search) else ([], True)


def _source(
    sweep: Manifest, todo: list[Job], overrides: Sequence[str], config_dir: str | None,
    secrets: dict[int, dict[str, str]],
) -> Source:  # fmt: skip
    from ganvas.cli.search import KEY, Search, extended, stored

    spec = stored(sweep) if KEY in sweep.about else None
    if spec is None:
        return Grid(todo)
    spec = extended(sweep, spec, overrides)
    again = [word for word in overrides if not is_hydra_override(word)]
    retry = [job.index for job in todo if result_of(sweep, job).state in ("failed", "refused", "killed")]
    return Search(sweep, spec, config_dir=config_dir, secrets=secrets, again=again, retry=retry)


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
    composer: Composer, sweep: Manifest, overrides: Sequence[str]
) -> dict[int, dict[str, str]]:
    """What sweep.json hides, from the environment as the configs name it, or from the command line."""
    given = dict(word.split("=", 1) for word in overrides if "=" in word)
    known: set[str] = set()
    found: dict[int, dict[str, str]] = {}
    for job in sweep.jobs if sweep.hides_secrets() else ():
        hidden = hidden_keys(sweep.config_of(job))
        known |= set(hidden)
        if not hidden:
            continue
        shown = [word for word in sweep.overrides_of(job) if REDACTED not in word]
        again: Mapping[str, str] = values_at(composer.compose(shown).config, hidden)
        found[job.index] = {**again, **{key: value for key, value in given.items() if key in hidden}}
    for word in overrides:
        key, _, value = word.partition("=")
        require(key in known, key, value, "is frozen in this sweep; begin another one with ganvas train -m")
    return found
