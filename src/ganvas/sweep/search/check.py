"""A search held against its config and its study before anything is written; then its study, opened."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ganvas.errors import OptionError, require
from ganvas.run.config.reported import check_reported, reported_metrics
from ganvas.sweep.search.pruner import check_pruner, make_pruner
from ganvas.sweep.search.sampler import check_sampler
from ganvas.sweep.search.settings import Settings
from ganvas.sweep.search.space import Space
from ganvas.sweep.search.spec import SearchSpec
from ganvas.sweep.search.storage import OPTION, PRIVATE, absolute, is_there, open_storage, storage_errors
from ganvas.sweep.search.study import Jobs, StudySource
from ganvas.sweep.search.study_handle import Objective, StudyHandle

_SECTION = "hydra.sweeper"


def check(
    settings: Settings, space: Space, pairs: Sequence[tuple[str, str | None]], config: dict[str, Any], *,
    overrides: list[str], seed: int, repeats: int, experiment: str,
) -> SearchSpec:  # fmt: skip
    """The search that the options ask for.

    Args:
        pairs: (metric, mode) of each objective; the mode None is the metric's own.
        config: of a trial.

    Raises:
        OptionError: something does not fit.
    """
    reason = "is what a search looks for; write optimized_metric=evaluation/fid or the like"
    require(bool(pairs), "optimized_metric", "null", reason)
    chosen = []
    for metric, mode in pairs:
        check_reported(config, metric)
        chosen.append((metric, mode or _own_mode(config, metric)))
    _under_section(check_sampler, settings, space, len(chosen))
    every = check_pruner(settings, [metric for metric, _ in chosen], config)
    budget = config["trainer"].get("max_examples")
    spec = SearchSpec(
        settings=replace(settings, storage=absolute(settings.storage)), dimensions=space.dimensions,
        objectives=chosen, overrides=overrides, seed=seed, repeats=repeats, every_examples=every,
        max_examples=budget if isinstance(budget, int) else 0,
        study=settings.study_name or str(config["name"]), experiment=experiment, owner=uuid.uuid4().hex[:12],
    )  # fmt: skip
    if spec.settings.storage is not None and is_there(spec.settings.storage):
        handle = _open(spec, Path())
        with storage_errors(spec.settings.storage):
            handle.check(spec.identity())
    return spec


def open_source(
    spec: SearchSpec, jobs: Jobs, folder: Path, *, has_jobs: bool, retry: Collection[int]
) -> StudySource:
    """The source of a search's jobs, its study made or gone on with.

    Args:
        folder: the sweep's.
        has_jobs: whether it has jobs, whose trials must be in the study.
        retry: failed trials to try again.

    Raises:
        OptionError: the storage cannot be used, or the study is another search.
    """
    settings, space = spec.settings, spec.space
    grid = check_sampler(settings, space, len(spec.objectives))
    pruner = make_pruner(settings, every_examples=spec.every_examples, max_examples=spec.max_examples)
    place = settings.storage or str(folder / PRIVATE)
    gone = has_jobs and not is_there(place)
    require(not gone, OPTION, place, "is gone, and the sweep's trials with it; put a copy back")
    handle = _open(spec, folder)
    with storage_errors(place):
        handle.join(spec.identity())
    with storage_errors(place, running=True):
        return StudySource(
            handle, jobs, space, settings, grid=grid, seed=spec.seed, repeats=spec.repeats, pruner=pruner,
            every_examples=spec.every_examples, retry=retry,
        )  # fmt: skip


def open_study(spec: SearchSpec, folder: Path) -> StudyHandle:
    """The study as it is there, to be read.

    Raises:
        OptionError: there is none.
    """
    place = spec.settings.storage or str(folder / PRIVATE)
    require(is_there(place), OPTION, place, "is not there; ganvas sweep resume begins the study")
    handle = _open(spec, folder)
    with storage_errors(place):
        require(handle.exists(), OPTION, place, f"holds no study {spec.study}; ganvas sweep resume begins it")
        handle.check(spec.identity())
    return handle


def _open(spec: SearchSpec, folder: Path) -> StudyHandle:
    objectives = [Objective(metric, mode) for metric, mode in spec.objectives]
    storage = open_storage(spec.settings.storage, folder)
    return StudyHandle(storage, spec.study, spec.owner, objectives)


def _own_mode(config: dict[str, Any], metric: str) -> str:
    metrics, _ = reported_metrics(config)
    mode = metrics.get(metric.partition("/")[2])
    reason = f"{metric} has no better way of its own; write optimized_mode=min or optimized_mode=max"
    require(mode is not None, "optimized_mode", "null", reason)
    return str(mode)


def _under_section(call: Any, *arguments: Any) -> None:
    try:
        call(*arguments)
    except OptionError as error:
        raise error.under(_SECTION) if error.option == "sampler" else error from error
