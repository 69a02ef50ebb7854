"""A search before anything of it is written: its manifest, its source, what ``ganvas sweep plan`` says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from ganvas.cli.compose.composer import Composer
from ganvas.cli.compose.experiment import provenance
from ganvas.cli.compose.explain import key_of
from ganvas.cli.compose.hydra_internals import config_folders
from ganvas.cli.sweep.launchers import JobLauncher
from ganvas.cli.sweep.main_metric import main_metric, told
from ganvas.cli.sweep.planned import Planned, allowed_by, join_sweep, sweep_folder
from ganvas.cli.sweep.search.search import KEY, Search, note, parse_search, stored
from ganvas.cli.terminal import format_estimate
from ganvas.files.text import say, say_json
from ganvas.run.folder.redact import redacted
from ganvas.sweep.estimate import paces, sweep_seconds
from ganvas.sweep.manifest import Manifest, new_about
from ganvas.sweep.search.search_spec import SearchSpec


def plan_search(
    composer: Composer, overrides: Sequence[str], own: Sequence[str], section: Any, launcher: JobLauncher
) -> Planned:
    """What ``ganvas train -m hydra/sweeper=optuna`` would do.

    Args:
        overrides: the command line's.
        own: those of the experiment.
        section: the composed ``hydra``.
    """
    spec, examples = parse_search(composer, own, section.sweeper)
    folder = sweep_folder(section, overrides, examples[0].config)
    made = composer.compose([*spec.overrides, *examples[0].differs])
    about = new_about(overrides, spec.overrides, provenance(made) | {"config_name": composer.config_name})
    sweep = Manifest(folder, about)
    jobs = Manifest(folder, {}).add(examples)
    note(sweep, spec)
    sweep = join_sweep(sweep, partial(_is_same, spec))
    # Of the study it is the same search; how long it goes on may be another.
    sweep.about[KEY]["settings"]["n_trials"] = spec.settings.n_trials
    secrets: dict[int, dict[str, Any]] = {}
    users = next(map(str, config_folders(composer.hydra, "user")), None)
    source = Search(sweep, stored(sweep) or spec, config_dir=users, secrets=secrets, example=examples[0])
    asked = any(key_of(word) == "optimized_metric" for word in own)
    metric = examples[0].config["optimized_metric"]
    notes = [told(metric)] if not asked and metric == main_metric(examples[0].config) else []
    return Planned(sweep, launcher, source, secrets, allowed_by(examples), jobs, notes=notes)


def print_search(made: Planned, slots: int, *, as_json: bool) -> int:
    """What ``ganvas sweep plan`` prints of a search."""
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
        say_json(told | {"search": redacted(asdict(spec))}, indent=1)
        return 0
    for name, values in spec.space.describe().items():
        say(f"{name}: {format_values(values)}")
    for line in made.notes:
        say(line)
    say("optimizes " + ", ".join(f"{metric} ({mode})" for metric, mode in spec.objectives))
    say(
        f"{trials} trials x {spec.repeats} seeds, {at_a_time} at a time; sampler {settings.sampler}, "
        f"seed {spec.seed}, pruner {settings.pruner}"
    )
    say(f"study {spec.study} in {settings.storage or 'the folder of the sweep'}")
    say(format_estimate(seconds, runs, "at most"))
    say(f"folder: {made.sweep.folder} (not made)")
    return 0


def format_values(values: dict[str, Any]) -> str:
    if "choices" in values:
        return ", ".join(values["choices"])
    text = f"{values['low']:g} to {values['high']:g}"
    text += f" in steps of {values['step']:g}" if values["step"] is not None else ""
    return f"{text}, logarithmic" if values["log"] else text


def _is_same(spec: SearchSpec, old: Manifest) -> bool:
    held = stored(old)
    return held is not None and held.identity() == spec.identity()
