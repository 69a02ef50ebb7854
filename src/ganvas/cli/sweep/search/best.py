"""``ganvas sweep best`` of a search: what its study says, its report, the best trial as an experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganvas.cli.sweep.best_experiment import save_experiment
from ganvas.cli.sweep.search.search import stored
from ganvas.errors import OptionError, require
from ganvas.files.text import say, say_json
from ganvas.sweep.interface import Job
from ganvas.sweep.manifest import Manifest


def best_of_search(
    sweep: Manifest, *, as_json: bool, save: str | None, config_dir: str | None, allows_places: bool = False
) -> None:
    """Prints the study's best trial (of several objectives: those that none beats).

    Args:
        allows_places: whether the study's storage, and what its configs name, may lie anywhere.

    Raises:
        OptionError: ``SWEEP``: no trial is complete, or the best one, which is to be saved, ran elsewhere;
            ``--save``: the file does not fit.
    """
    spec = stored(sweep, allows_places=allows_places)
    assert spec is not None
    from ganvas.sweep.search.check import open_study
    from ganvas.sweep.search.report import report_lines, summary, write_report

    handle = open_study(spec, sweep.folder)
    found = summary(handle)
    require(bool(found["best"]), "SWEEP", sweep.folder, "has no complete trial yet; ganvas sweep status")
    if as_json:
        say_json(found, indent=1)
    else:
        for line in report_lines(handle):
            say(line)
        say(write_report(handle, sweep.folder))
    if save is not None:
        first = found["best"][0]
        job = _job_of(sweep, first, spec.owner)
        metrics = zip(spec.objectives, first["values"], strict=True)
        said = ", ".join(f"{metric} {value:.6g}" for (metric, _), value in metrics)
        said += f", the mean of {spec.repeats} seeds" if spec.repeats > 1 else ""
        command = save_experiment(
            Path(save), sweep, job, result=said, config_dir=config_dir, allows_places=allows_places
        )
        if not as_json:
            say(f"{save}: {command}")


def _job_of(sweep: Manifest, trial: dict[str, Any], owner: str) -> Job:
    """The trial's first repeat in this sweep."""
    names = trial["jobs"] or []
    if trial["sweep"] != owner:
        reason = f"has trial {trial['number']}, which ran in another sweep on {trial['host']}; save it there"
        raise OptionError("SWEEP", sweep.folder, reason)
    found = [job for job in sweep.jobs if names and job.name == names[0]]
    require(bool(found), "SWEEP", sweep.folder, f"has no job of trial {trial['number']} any more")
    return found[0]
