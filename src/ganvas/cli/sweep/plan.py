"""From a sweep's overrides to what would run: everything composed and checked, nothing written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ganvas.cli.compose.composer import Composer
from ganvas.cli.compose.experiment import provenance
from ganvas.cli.compose.explain import composition_errors
from ganvas.cli.compose.refuse_unread import check_hydra_overrides
from ganvas.cli.compose.secrets import hidden_values
from ganvas.cli.sweep.drafts import drafts, fixed_overrides, one_job
from ganvas.cli.sweep.launchers import make_launcher
from ganvas.cli.sweep.main_metric import rank_by_main_metric
from ganvas.cli.sweep.planned import Planned, allowed_by, is_hydra_override, join_sweep, sweep_folder
from ganvas.cli.sweep.search.plan import plan_search
from ganvas.cli.sweep.search.space import overrides_of
from ganvas.errors import OptionError, require
from ganvas.sweep.grid import Grid
from ganvas.sweep.manifest import Manifest, new_about
from ganvas.sweep.records import RESUMABLE
from ganvas.sweep.search.settings import Settings
from ganvas.sweep.summary import results

_BASIC = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"  # hydra/sweeper=basic, Hydra's default
_SEARCH = f"{Settings.__module__}.{Settings.__name__}"


def plan_sweep(composer: Composer, overrides: Sequence[str], section: Any) -> Planned:
    """Composes everything and checks it; writes nothing."""
    check_hydra_overrides(overrides, is_sweep=True)
    own = [word for word in overrides if not is_hydra_override(word)]
    launcher = make_launcher(section.launcher, overrides)
    if is_search(section, overrides):
        return plan_search(composer, overrides, own, section, launcher)
    size = section.sweeper.get("max_batch_size")
    reason = "ganvas does not use it; hydra.launcher.n_jobs says how many jobs run at a time"
    require(size is None, "hydra.sweeper.max_batch_size", size, reason)
    own = [*overrides_of(section.sweeper.get("params") or {}), *own]
    made, shared = drafts(composer, own)
    notes = rank_by_main_metric(made)
    if not notes and any(draft.config.get("optimized_metric") is not None for draft in made):
        from ganvas.run.config.reported import check_ranked  # torch, for seconds

        check_ranked(draft.config for draft in made)
    folder = sweep_folder(section, overrides, made[0].config)
    first = composer.compose(one_job(composer.hydra, own))  # what is shared may be of an option that differs
    about = new_about(overrides, shared, provenance(replace(first, overrides=fixed_overrides(own))))
    about["config_name"] = composer.config_name
    sweep = Manifest(folder, about)
    jobs = sweep.add(made)
    hidden = [hidden_values(draft.config) for draft in made]
    secrets = {job.index: values for job, values in zip(jobs, hidden, strict=True) if values}
    keys = [job.key for job in sweep.jobs]
    sweep = join_sweep(sweep, lambda old: [job.key for job in old.jobs] == keys)
    todo = [job for job, result in results(sweep) if result.state in (*RESUMABLE, "running")]
    return Planned(sweep, launcher, Grid(todo), secrets, allowed_by(made), notes=notes)


def hydra_section(composer: Composer, overrides: Sequence[str]) -> Any:
    """Hydra's own part of the config; its overrides have one value each.

    Raises:
        OptionError: one of them lists several.
    """
    with composition_errors(composer.hydra, overrides):
        own = [word for word in overrides if is_hydra_override(word)]
        several = [word for word in own if not fixed_overrides([word])]
    for word in several:
        key, _, value = word.partition("=")
        raise OptionError(key, value, "cannot differ between the jobs of one sweep; begin one for each")
    with composition_errors(composer.hydra, overrides):
        words = one_job(composer.hydra, overrides)
    return composer.hydra_section(words)


def is_search(section: Any, overrides: Sequence[str]) -> bool:
    """Whether the composed ``hydra`` asks for a search, and not for every combination.

    Raises:
        OptionError: its sweeper is of another kind: what it learns would be lost with its process.
    """
    target = str(section.sweeper.get("_target_"))
    if target not in (_BASIC, _SEARCH):
        word = next((word for word in overrides if word.startswith("hydra/sweeper=")), "hydra/sweeper=")
        reason = "is no sweeper of ganvas's, whose sweeps can be resumed; there are: basic, optuna"
        raise OptionError("hydra/sweeper", word.partition("=")[2], reason)
    return target == _SEARCH
