"""Searches that are refused or only planned: nothing is written."""

from __future__ import annotations

import json
import sqlite3
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from ganvas.cli.sweep.search.search import parse_search, stored
from ganvas.errors import OptionError
from ganvas.sweep.manifest import Manifest

pytest.importorskip("optuna")

SEARCH = ("train", "-m", "hydra/sweeper=optuna")
GOAL = "optimized_metric=evaluation/fid"
LR = "model.generator_optimizer.lr=tag(log,interval(1e-4,1e-2))"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([LR, "model.main_metric=null"], "optimized_metric=null: is what a search looks for"),
        ([LR, "callback=none"], "optimized_metric=evaluation/fid: no run of this config reports it"),
        ([GOAL], "search=: nothing is varied"),
        (
            [LR, "optimized_metric=evaluation/kid"],
            "optimized_metric=evaluation/kid: no run of this config reports it; did you mean",
        ),
        ([LR, "optimized_metric=loss/generator"], "optimized_mode=null: loss/generator is no metric"),
        (
            [LR, "optimized_metric=evaluation/diversity", "metric/samples=diversity"],
            "optimized_mode=null: evaluation/diversity has no better way of its own",
        ),
        ([LR, "optimized_metric=[evaluation/fid,evaluation/x]"], "optimized_metric=evaluation/x: "),
        ([GOAL, "model.latent_dim=interval(8,1)"], "model.latent_dim=interval(8,1): must begin below"),
        ([GOAL, "model.latent_dim=tag(log,interval(0,1))"], "model.latent_dim=tag(log, interval(0,1)): "),
        ([GOAL, "model.latent_dims=1,2"], "model.latent_dims=1: there is no such key"),
        ([GOAL, "model=mlp_gan,mlp_gann"], "model=mlp_gann: there is no such option"),
        ([GOAL, LR, "hydra.sweeper.n_trials=0"], "hydra.sweeper.n_trials=0: must be at least 1"),
        ([GOAL, LR, "hydra.sweeper.n_trials=many"], "hydra.sweeper.n_trials=many: must be a whole number"),
        ([GOAL, LR, "hydra.sweeper.sampler=gird"], "hydra.sweeper.sampler=gird: there is no such"),
        (
            [GOAL, LR, "hydra.sweeper.sampler=grid"],
            "model.generator_optimizer.lr=interval(0.0001,0.01): has no grid; write model.gen",
        ),
        (
            [GOAL, "model.latent_dim=range(5,1)", "hydra.sweeper.sampler=grid"],
            "model.latent_dim=range(5,1): is empty",
        ),
        (
            [GOAL, "model.latent_dim=8,16", "hydra.sweeper.sampler=cmaes"],
            "hydra.sweeper.sampler=cmaes: moves numbers, and there are only choices",
        ),
        (
            [GOAL, LR, "hydra.sweeper.pruner=median"],
            "callback.evaluation.every_examples=0: leaves the pruner nothing to see before the end",
        ),
        ([GOAL, LR, "hydra.sweeper.pruner_startup_trials=0"], "hydra.sweeper.pruner_startup_trials=0: must"),
        ([GOAL, LR, "hydra.sweeper.storage=x.db"], "hydra.sweeper.storage=x.db: looks like a database"),
        ([GOAL, LR, "+hydra.sweeper.params.x=[1,2]"], "hydra.sweeper.params.x=[1, 2]: must be text"),
        ([GOAL, LR, "hydra.sweeper.n_trials=1,2"], "hydra.sweeper.n_trials=1,2: cannot differ"),
        ([GOAL, LR, "seed=1,2"], "seed=1,2: is nothing to search for"),
        ([GOAL, LR, "sweep.repeats=0"], "sweep.repeats=0: must be a whole number from 1"),
        ([GOAL, LR, "hydra.sweeper.n_trialz=3"], "hydra.sweeper.n_trialz=3: "),
    ],
)
def test_refused_before_anything_is_written(words: list[str], line: str, ganvas: Any, tmp_path: Path) -> None:
    done = ganvas(*SEARCH, *words, code=2)
    assert done.stderr.startswith(line), done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_ranked_by_what_nothing_reports(ganvas: Any, tmp_path: Path) -> None:
    done = ganvas("train", "-m", "seed=1,2", "optimized_metric=evaluation/kid", code=2)
    assert done.stderr.startswith("optimized_metric=evaluation/kid: no run of this config reports it")
    assert list(tmp_path.iterdir()) == []


def test_without_optuna(ganvas: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    done = ganvas(*SEARCH, LR, GOAL, code=2)
    assert done.stderr == "hydra/sweeper=optuna: needs an extra; pip install 'ganvas[search]'\n"
    assert list(tmp_path.iterdir()) == []


def test_the_plan_says_what_and_writes_nothing(ganvas: Any, tmp_path: Path) -> None:
    words = (LR, "model.latent_dim=8,16", "sweep.repeats=3", GOAL, "hydra.sweeper.n_trials=7")
    done = ganvas("sweep", "plan", "hydra/sweeper=optuna", *words)
    assert (
        "model.generator_optimizer.lr: 0.0001 to 0.01, logarithmic\nmodel.latent_dim: 8, 16\n" in done.stdout
    )
    assert (
        "optimizes evaluation/fid (min)\n7 trials x 3 seeds, 1 at a time; sampler tpe, seed 1" in done.stdout
    )
    told = json.loads(ganvas("sweep", "plan", "hydra/sweeper=optuna", *words, "--json").stdout)
    assert (told["trials"], told["repeats"]) == (7, 3)
    done = ganvas(
        "sweep",
        "plan",
        "hydra/sweeper=optuna",
        "model.latent_dim=8,16,32",
        GOAL,
        "data.batch_size=range(32,97,32)",
        "hydra.sweeper.sampler=grid",
    )
    assert "\n9 trials x 1 seeds" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_space_in_a_yaml_of_the_users(ganvas: Any, tmp_path: Path) -> None:
    (tmp_path / "conf" / "hydra" / "sweeper").mkdir(parents=True)
    (tmp_path / "conf" / "hydra" / "sweeper" / "mine.yaml").write_text(
        "defaults: [optuna]\nn_trials: 3\n"
        "params:\n  model.latent_dim: int(interval(4, 9))\n  data.batch_size: 32\n"
    )
    words = ("hydra/sweeper=mine", GOAL, "--config-dir", "conf", "--json")
    told = json.loads(ganvas("sweep", "plan", *words).stdout)
    assert told["trials"] == 3
    assert told["search"]["overrides"] == ["data.batch_size=32", GOAL]
    assert [(one["option"], one["low"], one["high"]) for one in told["search"]["dimensions"]] == [
        ("model.latent_dim", 4, 9)
    ]


def test_a_storage_that_cannot_be_shared(ganvas: Any, tmp_path: Path) -> None:
    import optuna

    url = f"sqlite:///{tmp_path}/x.db"
    words = (LR, GOAL, f"hydra.sweeper.storage={url}", "hydra.sweeper.study_name=mine")
    study = optuna.create_study(storage=url, study_name="mine")
    study.add_trial(optuna.trial.create_trial(value=1.0))
    done = ganvas(*SEARCH, *words, code=2)
    assert done.stderr.startswith("hydra.sweeper.study_name=mine: has trials that are not of ganvas")
    with sqlite3.connect(tmp_path / "x.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'v0.0.1.a'")
    done = ganvas(*SEARCH, *words, code=2)
    assert done.stderr.startswith(f"hydra.sweeper.storage={url}: is of another version of Optuna")
    (tmp_path / "x.db").write_text("nothing")
    done = ganvas(*SEARCH, *words, code=2)
    assert done.stderr.startswith(f"hydra.sweeper.storage={url}: cannot be used")
    assert [path.name for path in tmp_path.iterdir()] == ["x.db"]


def composed(words: list[str]) -> Any:
    from ganvas.cli.compose.composer import Composer
    from ganvas.cli.compose.session import hydra_session

    with hydra_session(None) as hydra:
        composer = Composer(hydra)
        section = composer.hydra_section(["hydra/sweeper=optuna"])
        return parse_search(composer, words, section.sweeper)[0]


SECRET = "+logger.tensorboard.api_key=verysecret"


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    spec = composed([LR, "model.latent_dim=8,16", SECRET, GOAL, "trainer=smoke"])
    assert spec.overrides == [SECRET, GOAL, "trainer=smoke"]
    assert spec.identity() == composed([LR, "model.latent_dim=8,16", "trainer=smoke", GOAL]).identity() | {
        "experiment": spec.experiment
    }
    other = composed([LR, "model.latent_dim=8,16", SECRET, GOAL])
    assert other.experiment != spec.experiment, "another budget is another experiment"
    sweep = Manifest(tmp_path / "sweep", {"search": asdict(spec)})
    sweep.write()
    text = (tmp_path / "sweep" / "sweep.json").read_text()
    assert "verysecret" not in text
    again = stored(Manifest.read(tmp_path / "sweep"))
    assert again is not None
    assert again.identity() == spec.identity()
    assert again.settings == spec.settings


DIMENSION = {"option": "a", "kind": "float", "choices": [], "low": 0, "high": 1, "step": None, "log": False}


@pytest.mark.parametrize(
    "damage",
    [
        {"seed": "x"},
        {"repeats": 0},
        {"overrides": [1]},
        {"objectives": [["a", "up"]]},
        {"settings": {}},
        {"owner": None},
        {"more": 1},
        {"dimensions": [{}]},
        {"dimensions": [DIMENSION | {"kind": "choice"}]},
        {"dimensions": [DIMENSION | {"high": 0}]},
        {"dimensions": [DIMENSION | {"kind": "code"}]},
    ],
)
def test_a_damaged_search(damage: dict, tmp_path: Path) -> None:
    sound = asdict(composed([LR, GOAL]))
    assert stored(Manifest(tmp_path, {"search": sound | {"dimensions": [DIMENSION]}})) is not None
    with pytest.raises(OptionError, match=r"SWEEP=.* damaged") as caught:
        stored(Manifest(tmp_path, {"search": sound | damage}))
    assert "\n" not in str(caught.value)
