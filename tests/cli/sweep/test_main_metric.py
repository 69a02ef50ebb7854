"""A sweep without ``optimized_metric`` is ranked by its recipe's main metric."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ganvas.cli.compose.composer import Composer
from ganvas.cli.compose.experiment import compose
from ganvas.cli.compose.session import hydra_session
from ganvas.cli.sweep.drafts import drafts
from ganvas.cli.sweep.main_metric import rank_by_main_metric
from ganvas.run.config.reported import check_reported

CONF = Path(__file__).parents[3] / "conf"


def made(*words: str, config_dir: str | None = None) -> list[Any]:
    with hydra_session(config_dir) as hydra:
        return drafts(Composer(hydra), words)[0]


@pytest.mark.parametrize("model", sorted(path.stem for path in (CONF / "model").glob("*.yaml")))
def test_every_recipe_declares_one_that_its_runs_report(model: str) -> None:
    data = "sound_folder" if model.startswith("sound_") else "text_files" if model.startswith("text_") else ""
    config = compose([f"model={model}", *([f"data={data}"] if data else [])]).config
    check_reported(config, config["model"]["main_metric"])


@pytest.mark.parametrize(
    ("words", "metric"),
    [
        (["seed=1,2"], "evaluation/fid"),
        (["seed=1,2", "model=vqvae,mlp_vqvae"], "evaluation/psnr"),
        (["seed=1,2", "optimized_metric=validation/psnr", "optimized_mode=max"], "validation/psnr"),
        (["seed=1,2", "model.main_metric=evaluation/kid", "metric/samples=[fid,kid]"], "evaluation/kid"),
        (["seed=1,2", "model.main_metric=null"], None),
        (["seed=1,2", "callback=none"], None),
        (["seed=1,2", "metric/samples=kid"], None),  # reports no FID
        (["seed=1,2", "metric.samples.fid=null"], None),
        (["seed=1,2", "callback.evaluation.features=null"], None),
        (["seed=1,2", "callback.evaluation.features=pixels"], None),  # what is wrong here, a run says
        (["seed=1,2", "callback.evaluation.metrics=[fid]"], None),
        (["model=mlp_gan,mlp_vqvae"], None),
    ],
)
def test_what_ranks(words: list[str], metric: str | None) -> None:
    jobs = made(*words)
    notes = rank_by_main_metric(jobs)
    assert {job.config["optimized_metric"] for job in jobs} == {metric}
    if metric is None:
        mixed = "not ranked: the recipes' main metrics are evaluation/fid, evaluation/psnr; optimized_metric"
        assert [note.startswith(mixed) for note in notes] == ([True] if "model" in words[0] else [])
    elif not metric.startswith("validation"):
        assert notes == [
            f"ranked by {metric}, the recipe's main metric; optimized_metric=... chooses another"
        ]


def test_a_recipe_of_the_users_own_brings_its_own(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    text = "defaults: [mlp_gan, _self_]\nmain_metric: evaluation/coverage\n"
    (tmp_path / "model" / "mine.yaml").write_text(text)
    jobs = made("model=mine", "seed=1,2", "metric/samples=density_coverage", config_dir=str(tmp_path))
    assert rank_by_main_metric(jobs)[0].startswith("ranked by evaluation/coverage, ")


def test_plans_of_sweeps_and_searches_say_it(ganvas, tmp_path: Path) -> None:
    note = "ranked by evaluation/fid, the recipe's main metric; optimized_metric=... chooses another\n"
    assert note in ganvas("sweep", "plan", "seed=1,2").stdout
    lr = "model.generator_optimizer.lr=interval(1e-4,1e-2)"
    text = ganvas("sweep", "plan", "hydra/sweeper=optuna", lr).stdout
    assert note in text
    assert "optimizes evaluation/fid (min)\n" in text
    vqvae = ganvas(
        "sweep", "plan", "hydra/sweeper=optuna", "model=mlp_vqvae", lr.replace("generator_", "")
    ).stdout
    assert "optimizes evaluation/psnr (max)\n" in vqvae
    asked = ganvas("sweep", "plan", "hydra/sweeper=optuna", lr, "optimized_metric=evaluation/fid").stdout
    assert "ranked by" not in asked
    odd = ["callback.evaluation.metrics=[fid]", "optimized_metric=evaluation/fid"]
    assert "evaluation/fid: no run of this config reports it" in ganvas("sweep", "plan", *odd, code=2).stderr
    assert not list(tmp_path.iterdir())
