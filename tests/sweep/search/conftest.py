"""A study over jobs that are played here, in a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("optuna")

from fake_jobs import FakeJobs

from ganvas.sweep.search.search_spec import Objective, SearchSpec
from ganvas.sweep.search.settings import Settings
from ganvas.sweep.search.space import Space, interval
from ganvas.sweep.search.storage import absolute, open_storage
from ganvas.sweep.search.study import StudySource
from ganvas.sweep.search.study_handle import StudyHandle


@pytest.fixture
def jobs(tmp_path: Path) -> FakeJobs:
    return FakeJobs(tmp_path)


@pytest.fixture
def source(tmp_path: Path, jobs: FakeJobs) -> Callable[..., StudySource]:
    """``source(n_trials=3, repeats=2)``: a source on the study in tmp_path, made or gone on with."""

    def make(
        *,
        space: Space | None = None,
        objectives: tuple[tuple[str, str], ...] = (("m", "min"),),
        repeats: int = 1,
        seed: int = 1,
        owner: str = "one",
        every_examples: int = 10,
        jobs_: Any = None,
        retry: tuple[int, ...] = (),
        **settings: Any,
    ) -> StudySource:
        space = space or Space((interval("x", 0.0, 1.0),))
        spec = SearchSpec(
            settings=Settings(**{"n_trials": 4, **settings}),
            dimensions=space.dimensions,
            objectives=[Objective(*one) for one in objectives],
            overrides=[],
            seed=seed,
            repeats=repeats,
            every_examples=every_examples,
            max_examples=90,
            study="s",
            experiment="e",
            owner=owner,
        )
        handle = StudyHandle(open_storage(absolute(spec.settings.storage), tmp_path), spec)
        handle.join()
        return StudySource(handle, jobs_ or jobs, retry=retry)

    return make
