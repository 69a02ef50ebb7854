"""A sweep is what it was when it began: edits do not leak in, ranks do not multiply it, seeds repeat it."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import pytest
import sweeps
import yaml

SMOKE = ("trainer=smoke", "callback=minimal", "logger=none", "callback.evaluation.num_samples=64")


@pytest.mark.slow
def test_edits_do_not_reach_a_sweep_that_began(ganvas, tmp_path: Path) -> None:
    """The second job is run after its experiment's YAML was changed."""
    conf = tmp_path / "conf" / "experiment"
    conf.mkdir(parents=True)
    (conf / "mine.yaml").write_text("# @package _global_\nmodel: {latent_dim: 6}\n")
    words = ("--config-dir", "conf", "-m", "experiment=mine", "seed=1,2", *SMOKE)
    ganvas("train", *words, "hydra.sweep.dir=s", "hydra.launcher.on_error=stop", "data.num_workers=0")
    for path in (tmp_path / "s").glob("*_seed-*"):
        assert yaml.safe_load((path / "run.yaml").read_text())["config"]["model"]["latent_dim"] == 6
    # As if it had been killed before the second job.
    second = sweeps.run_dir(tmp_path / "s", 1)
    second.rename(tmp_path / "old")
    (tmp_path / "s" / "jobs" / "001.json").unlink()
    (conf / "mine.yaml").write_text("# @package _global_\nmodel: {latent_dim: 3}\n")
    done = ganvas("sweep", "resume", "s", "--config-dir", "conf")
    assert "[job 1]" in done.stdout
    assert "[job 0]" not in done.stdout
    run = yaml.safe_load((second / "run.yaml").read_text())
    assert run["config"]["model"]["latent_dim"] == 6
    assert run["ganvas"]["choices"]["experiment"] == "mine"
    assert run["ganvas"]["sweep"]["job"] == 1
    refused = ganvas("train", *words, "hydra.sweep.dir=s", code=2)  # it composes otherwise by now
    assert refused.stderr.startswith("hydra.sweep.dir=s: holds another sweep")
    (conf / "mine.yaml").write_text("# @package _global_\nmodel: {latent_dim: 6}\n")
    again = ganvas("train", *words, "hydra.sweep.dir=s", "data.num_workers=0")  # the same one: nothing to do
    assert "[job" not in again.stdout


@pytest.mark.real_processes
@pytest.mark.slow
def test_two_ranks_are_one_job(ganvas, tmp_path: Path) -> None:
    """Under Hydra's own launcher each rank would run the sweep again."""
    words = ("accelerator=ddp_cpu", "model.latent_dim=4,6", *SMOKE)
    ganvas("train", "-m", *words)
    sweep = sweeps.the_sweep(tmp_path)
    assert sweep is not None
    assert len(list(tmp_path.rglob("run.yaml"))) == 2
    for index, size in enumerate((4, 6)):
        run = yaml.safe_load((sweeps.run_dir(sweep, index) / "run.yaml").read_text())
        assert run["config"]["model"]["latent_dim"] == size
        assert run["ganvas"]["environment"]["world_size"] == 2
        assert len(sweeps.record(sweep, index)["attempts"]) == 1
    assert sweeps.processes_of(sweep) == []


@pytest.mark.slow
def test_repeats_are_averaged(ganvas, tmp_path: Path) -> None:
    words = ("model.latent_dim=2,8", "sweep.repeats=2", "seed=7", "optimized_metric=evaluation/fid", *SMOKE)
    done = ganvas("train", "-m", *words, "hydra.launcher.n_jobs=2")
    jobs = json.loads(ganvas("sweep", "status", "--json").stdout)["jobs"]
    assert [(job["variant"], job["repeat"], job["differs"][-1]) for job in jobs] == [
        (0, 0, "seed=7"), (0, 1, "seed=8"), (1, 0, "seed=7"), (1, 1, "seed=8")
    ]  # fmt: skip
    means = [
        statistics.fmean(job["optimized"]["value"] for job in jobs if job["variant"] == v) for v in (0, 1)
    ]
    best = means.index(min(means))
    line = next(line for line in done.stdout.splitlines() if line.startswith("best: "))
    assert line.startswith(
        f"best: jobs {2 * best}, {2 * best + 1} (model.latent_dim={(2, 8)[best]}), evaluation/fid "
    )
    assert f"{min(means):.6g} (mean of 2 seeds, " in line
