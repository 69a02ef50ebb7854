"""A search held against its config and its study before anything is written; then its study, opened."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ganvas.errors import OptionError, require
from ganvas.runtime.reported import check_reported, reported_figures
from ganvas.runtime.sweep.search.asked import Asked
from ganvas.runtime.sweep.search.opened import Objective, OpenStudy
from ganvas.runtime.sweep.search.pruner import check_pruner, make_pruner
from ganvas.runtime.sweep.search.sampler import check_sampler
from ganvas.runtime.sweep.search.settings import Settings
from ganvas.runtime.sweep.search.space import Space
from ganvas.runtime.sweep.search.storage import OPTION, PRIVATE, absolute, is_there, named, open_storage
from ganvas.runtime.sweep.search.study import Jobs, StudySource

_SECTION = "hydra.sweeper"


def check(
    settings: Settings, space: Space, pairs: Sequence[tuple[str, str | None]], config: dict[str, Any], *,
    words: list[str], seed: int, repeats: int, experiment: str,
) -> Asked:  # fmt: skip
    """The search that the options ask for.

    Args:
        pairs: (metric, mode) of each objective; the mode None is the figure's own.
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
    budget = config["trainer"].get("max_images")
    asked = Asked(
        settings=replace(settings, storage=absolute(settings.storage)), dimensions=space.dimensions,
        objectives=chosen, words=words, seed=seed, repeats=repeats, every_images=every,
        max_images=budget if isinstance(budget, int) else 0,
        study=settings.study_name or str(config["name"]), experiment=experiment, owner=uuid.uuid4().hex[:12],
    )  # fmt: skip
    if asked.settings.storage is not None and is_there(asked.settings.storage):
        opened = _open(asked, Path())
        with named(asked.settings.storage):
            opened.check(asked.identity())
    return asked


def open_source(
    asked: Asked, jobs: Jobs, folder: Path, *, has_jobs: bool, retry: Collection[int]
) -> StudySource:
    """The source of a search's jobs, its study made or gone on with.

    Args:
        folder: the sweep's.
        has_jobs: whether it has jobs, whose trials must be in the study.
        retry: failed trials to try again.

    Raises:
        OptionError: the storage cannot be used, or the study is another search.
    """
    settings, space = asked.settings, asked.space
    grid = check_sampler(settings, space, len(asked.objectives))
    pruner = make_pruner(settings, every_images=asked.every_images, max_images=asked.max_images)
    place = settings.storage or str(folder / PRIVATE)
    gone = has_jobs and not is_there(place)
    require(not gone, OPTION, place, "is gone, and the sweep's trials with it; put a copy back")
    opened = _open(asked, folder)
    with named(place):
        opened.join(asked.identity())
    with named(place, running=True):
        return StudySource(
            opened, jobs, space, settings, grid=grid, seed=asked.seed, repeats=asked.repeats, pruner=pruner,
            every_images=asked.every_images, retry=retry,
        )  # fmt: skip


def open_study(asked: Asked, folder: Path) -> OpenStudy:
    """The study as it is there, to be read.

    Raises:
        OptionError: there is none.
    """
    place = asked.settings.storage or str(folder / PRIVATE)
    require(is_there(place), OPTION, place, "is not there; ganvas sweep resume begins the study")
    opened = _open(asked, folder)
    with named(place):
        require(
            opened.exists(), OPTION, place, f"holds no study {asked.study}; ganvas sweep resume begins it"
        )
        opened.check(asked.identity())
    return opened


def _open(asked: Asked, folder: Path) -> OpenStudy:
    objectives = [Objective(metric, mode) for metric, mode in asked.objectives]
    storage = open_storage(asked.settings.storage, folder)
    return OpenStudy(storage, asked.study, asked.owner, objectives)


def _own_mode(config: dict[str, Any], metric: str) -> str:
    figures, _ = reported_figures(config)
    mode = figures.get(metric.partition("/")[2])
    reason = f"{metric} has no better way of its own; write optimized_mode=min or optimized_mode=max"
    require(mode is not None, "optimized_mode", "null", reason)
    return str(mode)


def _under_section(call: Any, *arguments: Any) -> None:
    try:
        call(*arguments)
    except OptionError as error:
        raise error.under(_SECTION) if error.option == "sampler" else error from error
