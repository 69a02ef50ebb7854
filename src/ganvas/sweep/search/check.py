"""A search held against its config and its study before anything is written; then its study, opened."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ganvas.errors import OptionError, require
from ganvas.sweep.search.pruner import check_pruner
from ganvas.sweep.search.sampler import check_sampler
from ganvas.sweep.search.search_spec import Objective, SearchSpec
from ganvas.sweep.search.settings import Settings
from ganvas.sweep.search.space import Space
from ganvas.sweep.search.storage import OPTION, PRIVATE, absolute, is_there, open_storage, storage_errors
from ganvas.sweep.search.study import Jobs, StudySource
from ganvas.sweep.search.study_handle import StudyHandle


def check(
    settings: Settings,
    space: Space,
    objectives: Sequence[tuple[str, str]],
    config: dict[str, Any],
    *,
    overrides: list[str],
    seed: int,
    repeats: int,
    experiment: str,
) -> SearchSpec:
    """The search that the options ask for.

    Args:
        objectives: (metric, mode) of each; a trial reports them.
        config: of a trial.

    Raises:
        OptionError: something does not fit.
    """
    try:
        check_sampler(settings, space, len(objectives))
    except OptionError as error:
        raise error.under("hydra.sweeper") if error.option == "sampler" else error from error
    every = check_pruner(settings, [metric for metric, _ in objectives], config)
    budget = config["trainer"].get("max_examples")
    spec = SearchSpec(
        settings=replace(settings, storage=absolute(settings.storage)),
        dimensions=space.dimensions,
        objectives=[Objective(*one) for one in objectives],
        overrides=overrides,
        seed=seed,
        repeats=repeats,
        every_examples=every,
        max_examples=budget if isinstance(budget, int) else 0,
        study=settings.study_name or str(config["name"]),
        experiment=experiment,
        owner=uuid.uuid4().hex[:12],
    )
    storage = spec.settings.storage
    if storage is not None and is_there(storage):
        handle = _open(spec, Path())
        with storage_errors(storage):
            handle.check()
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
    place = spec.settings.storage or str(folder / PRIVATE)
    gone = has_jobs and not is_there(place)
    require(not gone, OPTION, place, "is gone, and the sweep's trials with it; put a copy back")
    handle = _open(spec, folder)
    with storage_errors(place):
        handle.join()
    with storage_errors(place, running=True):
        return StudySource(handle, jobs, retry=retry)


def open_study(spec: SearchSpec, folder: Path) -> StudyHandle:
    """The study as it is there, to be read.

    Raises:
        OptionError: there is none.
    """
    place = spec.settings.storage or str(folder / PRIVATE)
    require(is_there(place), OPTION, place, "is not there; ganvas sweep resume begins the study")
    handle = _open(spec, folder)
    with storage_errors(place):
        reason = f"holds no study {spec.study}; ganvas sweep resume begins it"
        require(handle.exists(), OPTION, place, reason)
        handle.check()
    return handle


def _open(spec: SearchSpec, folder: Path) -> StudyHandle:
    return StudyHandle(open_storage(spec.settings.storage, folder), spec)
