"""Sweeps: a process and a folder for each job, one table, an exit code that tells of failures."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

SMOKE = ("trainer=smoke", "callback=minimal", "logger=none", "callback.evaluation.num_samples=64")


def table(folder: Path) -> list[dict[str, str]]:
    (path,) = folder.glob("outputs/*/*_sweep-*/results.csv")
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.real_processes
@pytest.mark.slow
def test_every_combination_is_a_run(ganvas, tmp_path: Path) -> None:
    done = ganvas("train", "-m", "seed=1,2", "model=mlp_gan,mlp_vqvae", *SMOKE)
    rows = table(tmp_path)
    assert [row["overrides"] for row in rows] == [
        f"seed={seed} model={model}" for seed in (1, 2) for model in ("mlp_gan", "mlp_vqvae")
    ]
    assert {row["state"] for row in rows} == {"finished"}
    assert {row["exit_code"] for row in rows} == {"0"}
    assert {row["examples_seen"] for row in rows} == {"640"}
    folders = [tmp_path / row["folder"] for row in rows]
    assert [folder.name for folder in folders] == [
        f"{job:03d}_seed-{seed}_model-{model}"
        for job, (seed, model) in enumerate(
            [(1, "mlp_gan"), (1, "mlp_vqvae"), (2, "mlp_gan"), (2, "mlp_vqvae")]
        )
    ]
    for row, folder in zip(rows, folders, strict=True):
        metrics = json.loads((folder / "status.json").read_text())["metrics"]
        assert metrics
        for name, value in metrics.items():
            assert float(row[name]) == value
        assert list(folder.glob("checkpoints/*.ckpt"))
    assert "overrides" in done.stdout
    assert "results.csv" in done.stdout
    listed = json.loads(ganvas("runs", "ls", "--json").stdout)
    assert {run["run"] for run in listed} == {folder.name for folder in folders}


def test_a_failing_job_does_not_stop_the_others(ganvas, tmp_path: Path) -> None:
    done = ganvas("train", "-m", "model.latent_dim=-1,16", *SMOKE, code=1)
    refused, finished = table(tmp_path)
    assert (refused["state"], refused["exit_code"]) == ("refused", "2")
    assert (finished["state"], finished["exit_code"]) == ("finished", "0")
    assert "1 of 2 jobs failed: 0" in done.stdout
    (status,) = tmp_path.glob("outputs/*/*/*/status.json")
    assert status.parent.name == "001_latent_dim-16"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["model=mlp_gan,mlp_gna"], "model=mlp_gna: there is no such option; did you mean mlp_gan?"),
        (["seed=1,2", "model.latent_dmi=3"], "model.latent_dmi=3: there is no such key or group; did you"),
        (["seed=1,2", "model.latent_dmi=3,4"], "model.latent_dmi="),
        (["seed=1,2", "paths.output_dir=file"], "paths.output_dir=file"),
        (["seed=1,2", "name=a/b"], "name=a/b: "),
        (["seed=1,[2"], "seed=1,[2: cannot be read"),
        (["seed=1,2", "hydra.launcher.n_jobs=[1"], "hydra.launcher.n_jobs=[1: cannot be read"),
        (["seed=1,2", "hydra/launcher=is{"], "hydra/launcher=is{: cannot be read"),
        (["seed=1,2", "hydra.sweep.dir"], "hydra.sweep.dir=: cannot be read"),
    ],
)
def test_a_wrong_override_stops_a_sweep_before_it_starts(
    words: list[str], line: str, ganvas, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    done = ganvas("train", "-m", *words, *SMOKE, code=2)
    assert done.stderr.startswith(line)
    assert len(done.stderr.splitlines()) == 1
    assert "[job" not in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_jobs_are_ranked_by_the_best_of_a_metric(ganvas, tmp_path: Path) -> None:
    """Metrics at two moments; the best of each run counts, not its last."""
    words = ("optimized_metric=evaluation/fid", "callback.evaluation.every_examples=320")
    done = ganvas("train", "-m", "model.latent_dim=8,2", *words, *SMOKE)
    expected = []
    for row in table(tmp_path):
        lines = (tmp_path / row["folder"] / "evaluations.jsonl").read_text().splitlines()
        metrics = [json.loads(line)["metrics"]["fid"] for line in lines]
        assert len(metrics) == 2
        assert float(row["best evaluation/fid"]) == min(metrics)
        status = json.loads((tmp_path / row["folder"] / "status.json").read_text())
        assert status["best"]["fid"]["value"] == status["optimized"]["value"] == min(metrics)
        assert status["metrics"]["fid"] == metrics[-1]
        expected.append(min(metrics))
    assert f"best: job {expected.index(min(expected))} (model.latent_dim=" in done.stdout


def test_a_metric_without_a_direction_is_refused(ganvas, tmp_path: Path) -> None:
    done = ganvas("train", "optimized_metric=validation/psnr", *SMOKE, code=2)
    assert done.stderr.startswith("optimized_mode=null: validation/psnr is no metric")
    assert not (tmp_path / "outputs").exists()


def test_a_metric_that_never_comes_is_said_with_those_that_do(ganvas, tmp_path: Path) -> None:
    words = ("train", "optimized_metric=evaluation/kid", *SMOKE, "callback=[evaluation,record]")
    done = ganvas(*words, code=2)
    assert done.stderr.startswith("optimized_metric=evaluation/kid: no run of this config reports it; did")
    assert not (tmp_path / "outputs").exists()
    # What a callback of somebody else's reports is not known before.
    done = ganvas(*words, "+callback.other._target_=pytorch_lightning.callbacks.ModelSummary")
    assert "optimized_metric=evaluation/kid was never reported; there are: " in done.stdout + done.stderr
    assert "evaluation/fid" in done.stdout + done.stderr
