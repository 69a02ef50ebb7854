"""A search before anything of it is written: its manifest, its source, what ``ganvas sweep plan`` says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganvas.cli.compose import provenance
from ganvas.cli.search import KEY, Search, note, parse_search, stored
from ganvas.cli.sweep_jobs import Composer
from ganvas.errors import OptionError
from ganvas.run.folder.redact import redacted
from ganvas.sweep.estimate import paces, sweep_seconds
from ganvas.sweep.find import sweep_there
from ganvas.sweep.manifest import Manifest, new_about

if TYPE_CHECKING:
    from ganvas.cli.launcher import JobLauncher
    from ganvas.cli.sweep_run import Planned


def plan_search(
    composer: Composer, overrides: Sequence[str], own: Sequence[str], section: Any, launcher: JobLauncher
) -> Planned:
    """What ``ganvas train -m hydra/sweeper=optuna`` would do.

    Args:
        overrides: the command line's.
        own: those of the experiment.
        section: the composed ``hydra``.
    """
    from ganvas.cli.sweep_run import Planned, sweep_folder

    spec, examples = parse_search(composer, own, section.sweeper)
    folder = sweep_folder(section, overrides, examples[0].config)
    made = composer.compose([*spec.overrides, *examples[0].differs])
    about = new_about(overrides, spec.overrides, provenance(made) | {"config_name": composer.config_name})
    sweep = Manifest(folder, about)
    jobs = Manifest(folder, {}).add(examples)
    note(sweep, spec)
    sweep = _joined(sweep)
    secrets: dict[int, dict[str, str]] = {}
    source = Search(
        sweep, stored(sweep) or spec, config_dir=_users_folder(composer), secrets=secrets, example=examples[0]
    )
    return Planned(sweep, launcher, source, secrets, examples=jobs)


def print_plan(made: Planned, slots: int, *, as_json: bool) -> int:
    """What ``ganvas sweep plan`` prints of a search."""
    from ganvas.cli.sweep_plan import format_duration

    search = made.source
    assert isinstance(search, Search)
    assert search.example is not None
    spec, settings = search.spec, search.spec.settings
    grid = len(spec.space.grid()) if settings.sampler == "grid" else None
    trials = settings.trials(grid)
    jobs = trials * spec.repeats
    at_a_time = max(1, min(slots, jobs))
    trees = [(search.example.config, search.example.choices)] * jobs
    pace = paces(Path(search.example.config["paths"]["output_dir"]))
    seconds, runs = sweep_seconds(trees, pace, at_a_time=at_a_time)
    if as_json:
        told = {"trials": trials, "repeats": spec.repeats, "at_a_time": at_a_time, "seconds": seconds}
        print(json.dumps(told | {"search": redacted(asdict(spec))}, indent=1))
        return 0
    for name, values in spec.space.describe().items():
        print(f"{name}: {_format_values(values)}")
    print("optimizes " + ", ".join(f"{metric} ({mode})" for metric, mode in spec.objectives))
    print(f"{trials} trials x {spec.repeats} seeds, {at_a_time} at a time; sampler {settings.sampler}, "
          f"seed {spec.seed}, pruner {settings.pruner}")  # fmt: skip
    print(f"study {spec.study} in {settings.storage or 'the folder of the sweep'}")
    if seconds is None:
        print("time: not known; no finished run of such a model and data lies under paths.output_dir")
    else:
        print(
            f"time: at most {format_duration(seconds)}, by the pace of {runs} finished runs of such models "
            "and data"
        )
    print(f"folder: {made.sweep.folder} (not made)")
    return 0


def _format_values(values: dict[str, Any]) -> str:
    if "choices" in values:
        return ", ".join(values["choices"])
    text = f"{values['low']:g} to {values['high']:g}"
    text += f" in steps of {values['step']:g}" if values["step"] is not None else ""
    return f"{text}, logarithmic" if values["log"] else text


def _joined(sweep: Manifest) -> Manifest:
    """The search that lies in the folder already, where it is this one; else the new one.

    Raises:
        OptionError: the folder holds another sweep, or something else.
    """
    old = sweep_there(sweep.folder)
    if old is None:
        return sweep
    held, spec = stored(old), stored(sweep)
    if held is None or spec is None or held.identity() != spec.identity():
        reason = "holds another sweep; name a new folder, or: ganvas sweep resume"
        raise OptionError("hydra.sweep.dir", sweep.folder, reason)
    # Of the study it is the same search; how long it goes on may be another.
    old.about[KEY]["settings"]["n_trials"] = spec.settings.n_trials
    return old


def _users_folder(composer: Composer) -> str | None:
    """The user's own config folder, as the session was given it."""
    entries = composer.hydra.config_loader.get_search_path().get_path()
    paths = [entry.path.removeprefix("file://") for entry in entries if entry.provider == "user"]
    return str(Path(paths[0])) if paths else None
