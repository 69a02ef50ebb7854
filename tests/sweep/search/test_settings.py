from __future__ import annotations

import pytest

from ganvas.errors import OptionError
from ganvas.sweep.search.settings import Settings


def test_how_many_trials() -> None:
    assert Settings().trials(None) == 20
    assert Settings(n_trials=3).trials(None) == 3
    assert Settings().trials(12) == 12
    assert Settings(n_trials=5).trials(12) == 5
    assert Settings(n_trials=50).trials(12) == 12


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: Settings(n_trials=0), "n_trials=0: must be at least 1"),
        (lambda: Settings(sampler="tpee"), "sampler=tpee: there is no such sampler; there are: tpe, random"),
        (lambda: Settings(pruner="x"), "there are: none, median, hyperband"),
        (lambda: Settings(seed=-1), "seed=-1"),
        (lambda: Settings(startup_trials=0), "startup_trials=0"),
        (lambda: Settings(storage=""), "storage=: is empty"),
        (lambda: Settings(study_name=""), "study_name=: is empty"),
        (lambda: Settings(pruner_startup_trials=0), "pruner_startup_trials=0"),
        (lambda: Settings(pruner_min_examples=0), "pruner_min_examples=0"),
        (lambda: Settings(reduction_factor=1), "reduction_factor=1"),
    ],
)
def test_out_of_range(make, line: str) -> None:
    with pytest.raises(OptionError, match=line):
        make()
