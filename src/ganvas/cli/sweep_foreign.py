"""Sweepers that are not ganvas's: Hydra runs them, ganvas's launcher runs their jobs.

Such a sweeper (nevergrad's, Ax's, a user's own) hands batches of overrides to the launcher and gets the best
value of ``optimized_metric`` back. Its jobs are frozen batch by batch; what it learnt is its own affair, so
``ganvas sweep resume`` finishes its jobs and asks it for no more.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ganvas.cli.compose import provenance
from ganvas.cli.explain import composition_errors
from ganvas.cli.launcher import JobLauncher, make_launcher
from ganvas.cli.sweep_jobs import Composer, fixed_overrides, repeats
from ganvas.cli.sweep_run import Planned, drive, is_hydra_override, secrets_of, sweep_folder
from ganvas.errors import OptionError
from ganvas.sweep.command import JobCommand
from ganvas.sweep.grid import Grid
from ganvas.sweep.manifest import FILE, Manifest, new_about
from ganvas.sweep.records import result_of

_CONFIG_DIR = "GANVAS_CONFIG_DIR"  # how the launcher, which Hydra makes, learns of --config-dir


def sweep_by(
    hydra: Any, overrides: Sequence[str], section: Any, *, config_dir: str | None, config_name: str
) -> int:
    """Runs another's sweeper; returns 0 where every job ended well."""
    make_launcher(section.launcher, overrides)  # refuses one that is none of ours, before anything is written
    config = (
        Composer(hydra, config_name)
        .compose(fixed_overrides([w for w in overrides if not is_hydra_override(w)]))
        .config
    )
    folder = sweep_folder(section, overrides, config)
    if config_dir is not None:
        os.environ[_CONFIG_DIR] = str(Path(config_dir).resolve())
    try:
        with composition_errors(hydra, overrides):
            hydra.multirun(
                config_name=config_name, task_function=_never_called,
                overrides=[*overrides, f"hydra.sweep.dir='{folder}'"], with_log_configuration=False,
            )  # fmt: skip
    finally:
        os.environ.pop(_CONFIG_DIR, None)
    found = [result_of(sweep, job) for sweep in [Manifest.read(folder)] for job in sweep.jobs]
    return 0 if all(result.state in ("finished", "pruned") for result in found) else 1


def run_batch(
    launcher: JobLauncher, batch: Sequence[Sequence[str]], folder: Path
) -> list[tuple[list[str], str, float | None]]:
    """A batch of jobs to its end: for each its overrides, its folder and the value of its objective."""
    from hydra.core.global_hydra import GlobalHydra

    hydra = GlobalHydra.instance().hydra
    if hydra is None:
        raise OptionError("hydra/launcher", "", "runs under ganvas train -m alone")
    composer = Composer(hydra, str(launcher.config.hydra.job.config_name or "train"))
    sweep = Manifest.read(folder) if (folder / FILE).exists() else None
    secrets: dict[int, dict[str, str]] = {}
    jobs = []
    for job in batch:
        own = [word for word in job if not is_hydra_override(word)]
        if sweep is None:
            sweep = Manifest(folder, new_about(own, [], provenance(composer.compose(own))))
        variant = 1 + max((one.variant for one in sweep.jobs), default=-1)
        made = repeats(composer, own, own, variant)
        placed = sweep.add(made)
        secrets |= {one.index: secrets_of(draft) for one, draft in zip(placed, made, strict=True)}
        jobs.append((list(job), placed))
    assert sweep is not None
    sweep.write()
    todo = [one for _, placed in jobs for one in placed]
    drive(Planned(sweep, launcher, Grid(todo), secrets),
          JobCommand(folder, os.environ.get(_CONFIG_DIR), secrets), is_new=False)  # fmt: skip
    return [(overrides, str(sweep.run_dir(placed[0])), _value(sweep, placed)) for overrides, placed in jobs]


def _value(sweep: Manifest, jobs: Sequence[Any]) -> float | None:
    best = [result_of(sweep, job).optimized for job in jobs]
    values = [float(one["value"]) for one in best if one is not None]
    return sum(values) / len(values) if len(values) == len(best) else None


def _never_called(_config: Any) -> None:
    raise AssertionError("jobs run in processes of their own")
