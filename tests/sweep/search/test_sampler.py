from __future__ import annotations

import os
import pickle

import optuna
import pytest

from ganvas.errors import OptionError
from ganvas.sweep.search.sampler import check_sampler, make_sampler
from ganvas.sweep.search.settings import Settings
from ganvas.sweep.search.space import Space, choice, interval


def search(sampler: str, trials: int, study: optuna.Study, seed: int = 3) -> optuna.Study:
    for number in range(len(study.trials), trials):
        one = make_sampler(
            Settings(sampler=sampler, startup_trials=4), None, seed=seed, number=number, place=number
        )
        study = optuna.load_study(study_name=study.study_name, storage=study._storage, sampler=one)
        trial = study.ask()
        x, y = trial.suggest_float("x", 0, 1), trial.suggest_float("y", 1e-4, 1, log=True)
        trial.suggest_categorical("c", ["a", "b"])
        study.tell(trial, (x - 0.3) ** 2 + (y - 0.01) ** 2)
    return study


@pytest.mark.parametrize("sampler", ["tpe", "random", "cmaes"])
def test_samplers_draw_by_seed_and_number_and_those_that_learn_do(sampler: str) -> None:
    first, second = (search(sampler, 36, optuna.create_study()) for _ in range(2))
    assert [trial.params for trial in first.trials] == [trial.params for trial in second.trials]
    assert len({trial.params["x"] for trial in first.trials}) == 36
    if sampler != "random":
        late = sorted(trial.value for trial in first.trials[-12:])
        early = sorted(trial.value for trial in first.trials[:12])
        assert late[6] < early[6] / 2, "the median of the last dozen is well below that of the first"
    else:
        other = search(sampler, 3, optuna.create_study(), seed=4)
        assert other.trials[0].params != first.trials[0].params


def test_a_foreign_study_runs_no_code() -> None:
    """The state of CMA-ES lies in the study as a pickle."""

    class Hostile:
        def __reduce__(self):
            return os.system, ("true",)

    study = search("cmaes", 30, optuna.create_study())
    names = [key for trial in study.trials for key in trial.system_attrs if key.startswith("cma:optimizer")]
    assert names, "a state was kept and taken up again"
    forged = optuna.trial.create_trial(
        params=study.trials[-1].params,
        distributions=study.trials[-1].distributions,
        value=0.0,
        system_attrs={"cma:optimizer:0": pickle.dumps(Hostile()).hex()},
    )
    study.add_trial(forged)
    with pytest.raises(OptionError, match=r"holds posix.system, which is no state of a CMA-ES"):
        search("cmaes", 32, study)


def test_what_a_sampler_cannot_do() -> None:
    choices, numbers = Space((choice("c", ["a", "b"]),)), Space((interval("x", 0.0, 1.0),))
    assert check_sampler(Settings(sampler="grid"), choices, 2) == [{"c": "a"}, {"c": "b"}]
    assert check_sampler(Settings(), numbers, 2) is None
    with pytest.raises(OptionError, match="sampler=cmaes: moves numbers, and there are only choices"):
        check_sampler(Settings(sampler="cmaes"), choices, 1)
    with pytest.raises(OptionError, match="sampler=cmaes: knows one objective"):
        check_sampler(Settings(sampler="cmaes"), numbers, 2)
    with pytest.raises(OptionError, match=r"x=interval\(0,1\): has no grid"):
        check_sampler(Settings(sampler="grid"), numbers, 1)
